"""Training batches: shards of clean features, joined, cut, coloured and made noisy.

A batch is a dict of arrays (B samples, F encoder frames of 20 ms, L positions):
    speech, noise   (B, 2F, 80)  log10 mel power of each, mixed by model.front
    band            (B, 80)      colour of the microphone, log10 power
    keep_bands, keep_frames      (B, 80), (B, 2F) 0 where features are masked
    inputs, targets (B, L)       token rows; some inputs are random on purpose
    weights         (B, L)       1 where a target counts
    centres         (B, L)       encoder frame the position should look at, or -1
    labels          (B, F)       1 + word index, 0 for silence, -1 unknown
"""
import pickle
from pathlib import Path

import numpy as np
import scipy.signal

import features
import grammar

END, START, NO_TIMES = 50256, 50257, 50362       # special tokens of Whisper's .en models
BLANK, DOT, ASK = " [BLANK_AUDIO]", ".", "?"
SHAPES = {128: (48, 22), 256: (24, 34), 512: (12, 60)}    # F: (B, L)
SILENT = 0.05            # samples with no speech
CUT = 0.20               # samples whose last sentence is cut off, where possible
RANDOM_INPUT = 0.10      # decoder inputs replaced: listen, do not recite
SPEECHLESS = -9.0        # log10 power of nothing


def token_rows(tokens, words):
    """Sorted ids of every token the texts can contain, then END, START, NO_TIMES."""
    ids = set(tokens.encode(BLANK) + tokens.encode(DOT) + tokens.encode(ASK))
    for word in words:
        for text in (grammar.WRITTEN.get(word, word), word[:1].upper() + word[1:]):
            ids.update(tokens.encode(" " + text))
    return sorted(ids) + [END, START, NO_TIMES]


def noises(babble, filters, rng, seconds=40):
    """Log10-mel noises of mean power 1: list of (features, has_speech)."""
    count = features.RATE * seconds
    frequency = np.fft.rfftfreq(count, 1 / features.RATE)
    frequency[0] = frequency[1]
    time_axis = np.arange(count) / features.RATE
    waves = []
    for slope in (0, 0, 0, 0.5, 1, 1, 1, 1.5, 2):                     # white, pink .. brown
        spectrum = rng.standard_normal((2, len(frequency))) * frequency ** (-slope / 2)
        waves.append((np.fft.irfft(spectrum[0] + 1j * spectrum[1]), False))
    for mains in (50, 60, 120):                                       # hum
        hum = sum(np.sin(2 * np.pi * mains * k * time_axis + rng.uniform(0, 6)) / k
                  for k in range(1, 12))
        waves.append((hum + 0.3 * rng.standard_normal(count), False))
    rustle = rng.standard_normal(count) * np.repeat(rng.random(count // 1600) ** 6, 1600)
    waves.append((rustle, False))
    voice_band = scipy.signal.butter(2, [300, 3000], "band", fs=features.RATE, output="sos")
    waves.append((scipy.signal.sosfilt(voice_band, rng.standard_normal(count)), False))
    for talkers in (4, 6, 10):
        wave = np.zeros(count, np.float32)
        for _ in range(talkers):
            place = 0
            while place < count:
                clip = babble[rng.integers(len(babble))][:count - place]
                wave[place:place + len(clip)] += clip * rng.uniform(0.4, 1)
                place += len(clip) + rng.integers(4000)
        waves.append((wave, True))
    result = []
    for wave, has_speech in waves:
        mel = features.log_mel(wave / np.abs(wave).max() * 0.5, filters)
        result.append(((mel - np.log10((10.0 ** mel).mean())).astype(np.float32), has_speech))
    return result


class Batches:
    def __init__(self, shards, header, words, rows, seed=0):
        """header: a ggml.Model; words: the vocabulary; rows: see token_rows."""
        self.rng = np.random.default_rng(seed)
        tokens = features.Tokens(header.tokens)
        row = {token: index for index, token in enumerate(rows)}
        self.row_count = len(rows)
        self.end, self.start, self.no_times = (row[t] for t in (END, START, NO_TIMES))
        self.blank, self.dot, self.ask = ([row[t] for t in tokens.encode(text)]
                                          for text in (BLANK, DOT, ASK))
        self.label = {word: index + 1 for index, word in enumerate(words)}
        self.spelling = {}               # (word, first in its sentence) -> token rows
        for word in words:
            plain, first = grammar.WRITTEN.get(word, word), word[:1].upper() + word[1:]
            self.spelling[word, False] = [row[t] for t in tokens.encode(" " + plain)]
            self.spelling[word, True] = [row[t] for t in tokens.encode(" " + first)]
        self.utterances, self.mels, babble = [], [], []
        for shard in shards:
            data = pickle.loads(Path(shard + ".pkl").read_bytes())
            mel = np.load(shard + ".npy", mmap_mode="r")
            babble += data["babble"]
            self.utterances += data["utterances"]
            self.mels += [mel[u["offset"]:u["offset"] + u["length"]] for u in data["utterances"]]
        lengths = np.array([u["length"] for u in self.utterances])
        self.fitting = {f: np.flatnonzero(lengths <= 2 * f - 20) for f in SHAPES}
        self.noises = noises(babble, header.filters, self.rng)
        self.mel_hertz = header.filters.argmax(1) * features.RATE / features.WINDOW
        self.hours = lengths.sum() / 360000

    def _colour(self):
        """(80,) smooth random frequency response, sometimes band-limited."""
        rng, x = self.rng, np.linspace(-1, 1, 80)
        band = np.zeros(80)
        if rng.random() < 0.7:
            band = (rng.uniform(-.5, .5) * x
                    + rng.uniform(-.25, .25) * np.cos(np.pi * (x + rng.uniform(0, 2)))
                    + rng.uniform(-.15, .15) * np.cos(2 * np.pi * (x + rng.uniform(0, 2))))
        kind = rng.random()
        if kind < 0.27:
            top = rng.uniform(3300, 3950) if kind < 0.17 else rng.uniform(4500, 7600)
            band -= np.clip((self.mel_hertz - top) / 100, 0, 9)
        if kind < 0.08:
            band -= np.clip((rng.uniform(150, 320) - self.mel_hertz) / 60, 0, 3)
        return band

    def _sentence(self, index, room, tokens_left, may_cut):
        """Pick how utterance `index` is used: (frames, tokens, centres, label spans) or
        None if it does not fit. Centres and spans are in mel frames."""
        utterance, rng = self.utterances[index], self.rng
        words, bounds, frames = utterance["words"], utterance["bounds"], utterance["length"]
        stop = self.ask if utterance["question"] else self.dot
        if may_cut and utterance["exact"] and len(words) > 1:
            spoken = int(rng.integers(0 if rng.random() < 0.1 else 1, len(words)))
            end, following = bounds[spoken], bounds[spoken + 1]
            frames = int(max(5, min(frames, end + rng.uniform(0, 0.4) * (following - end))))
            words, stop = words[:spoken], []
        tokens, centres, spans = [], [], []
        for place, word in enumerate(words):
            begin, end = bounds[place], bounds[place + 1]
            spelled = self.spelling[word, place == 0]
            tokens += spelled
            centres += [begin + 0.55 * (end - begin)] * len(spelled)
            spans.append((begin + 0.1 * (end - begin), end - 0.1 * (end - begin),
                          self.label[word]))
        tokens, centres = tokens + stop, centres + [bounds[len(words)]] * len(stop)
        if frames > room or len(tokens) > tokens_left:
            return None
        return frames, tokens, centres, spans

    def _speech(self, out, b, context, tokens_left):
        """Place one or more sentences into sample b. Returns (end frame, tokens,
        centres, power, was cut)."""
        rng = self.rng
        place = int(rng.choice([0, rng.integers(60), rng.integers(30)]))
        alone = {128: 0.5, 256: 0.4, 512: 0.3}[context]
        most = 1 if rng.random() < alone else 8
        gain, power = rng.uniform(-2.6, 0.1), SPEECHLESS
        tokens, centres, end, cut = [], [], place, False
        count = tries = 0
        while count < most and tries < 8 and not cut:
            tries += 1
            index = rng.choice(self.fitting[context])
            wants_cut = rng.random() < CUT
            used = self._sentence(index, 2 * context - 2 - place,
                                  tokens_left - len(tokens), wants_cut)
            if used is None:
                continue
            frames, new, new_centres, spans = used
            level = gain + rng.uniform(-.2, .2)
            mel = self.mels[index][:frames].astype(np.float32) + level
            out["speech"][b, place:place + frames] = np.maximum(mel, features.FLOOR)
            power = max(power, np.log10((10.0 ** mel).mean() + 1e-10))
            tokens += new
            centres += [(place + c) / 2 for c in new_centres]
            out["labels"][b, (place // 2):(place + frames) // 2] = -1
            for begin, finish, label in spans:
                out["labels"][b, int((place + begin) / 2):int((place + finish) / 2)] = label
            cut = wants_cut and new[-1:] not in (self.dot, self.ask)
            end, count = place + frames, count + 1
            place = end + int(rng.choice([rng.integers(5, 30), rng.integers(5, 120)]))
        return end, tokens, centres, power, cut

    def _mask(self, out, b, end):
        """Hide some bands and a short stretch of time."""
        rng = self.rng
        if rng.random() < 0.5:
            width = int(rng.integers(1, 13))
            first = int(rng.integers(80 - width))
            out["keep_bands"][b, first:first + width] = 0
        if rng.random() < 0.2 and end > 20:
            width = int(rng.integers(1, 9))
            first = int(rng.integers(end - width))
            out["keep_frames"][b, first:first + width] = 0

    def batch(self, context):
        """One batch for an audio context of 128, 256 or 512 frames."""
        rng = self.rng
        size, length = SHAPES[context]
        frames = 2 * context
        out = {
            "speech": np.full((size, frames, 80), features.FLOOR, np.float32),
            "noise": np.full((size, frames, 80), -20, np.float32),
            "band": np.zeros((size, 80), np.float32),
            "keep_bands": np.ones((size, 80), np.float32),
            "keep_frames": np.ones((size, frames), np.float32),
            "targets": np.zeros((size, length), np.int32),
            "inputs": np.zeros((size, length), np.int32),
            "weights": np.zeros((size, length), np.float32),
            "centres": np.full((size, length), -1, np.float32),
            "labels": np.zeros((size, context), np.int32),
        }
        for b in range(size):
            tokens, centres, power, cut, end = [], [], SPEECHLESS, False, 0
            if rng.random() >= SILENT:
                end, tokens, centres, power, cut = self._speech(out, b, context, length - 4)
            if tokens:
                tail = 0 if cut else rng.choice([0, rng.integers(60), rng.integers(200)])
                audible = int(min(frames, end + tail))
            else:
                audible = int(rng.integers(min(max(end, frames // 8), frames), frames + 1))
                kind = rng.random()
                tokens = [] if kind < 0.5 else self.blank if kind < 0.9 else self.dot
            if rng.random() < (0.7 if centres else 0.8):
                usable = self.noises if centres else [n for n in self.noises if not n[1]]
                mel, has_speech = usable[rng.integers(len(usable))]
                first = rng.integers(len(mel) - audible)
                loudest = 1.2 if has_speech else 0.4
                level = power - loudest - (4.0 - loudest) * rng.random() ** 1.5
                if power == SPEECHLESS:
                    level = rng.uniform(-6, 1.5)
                out["noise"][b, :audible] = mel[first:first + audible] + level
            out["band"][b] = self._colour()
            out["labels"][b, audible // 2:] = -1
            self._mask(out, b, end)
            full = [self.start, self.no_times] + tokens + [self.end]
            count = len(full) - 1
            out["targets"][b, :count] = full[1:]
            out["weights"][b, 1:count] = 1
            out["centres"][b, 1:1 + len(centres)] = centres
            wrong = rng.random(length) < RANDOM_INPUT
            wrong[:2] = False
            out["inputs"][b, :count] = full[:-1]
            out["inputs"][b, wrong] = rng.integers(self.row_count, size=wrong.sum())
        return out
