"""Make a shard of training data: spoken sentences of the grammar as log-mel features.

    python make_data.py --seed 1 --count 20000 --minutes 10 --out work/shard1

writes OUT.npy, all features (frames, 80) float16 at 100 frames a second, and
OUT.pkl, {"utterances": [fields of Utterance, ...], "babble": [16 kHz float32 arrays]}.
Features are clean; loudness, colour and noise are added while training.
"""
import argparse
import pickle
import random
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal

import features
import ggml
import grammar
import speech

HERE = Path(__file__).parent
DEFAULT_MODEL = HERE / "aigolos-nano-en-q5_1.bin"
BEFORE, AFTER = 0.05, 0.10        # seconds kept around the speech
LONGEST = 9.0                     # seconds
FESTIVAL_BATCH = 60               # sentences in one festival process


@dataclass
class Utterance:
    offset: int          # first frame in the shard
    length: int          # frames
    words: list          # as in grammar.py
    question: bool
    voice: str
    bounds: np.ndarray   # frames: where each word begins, then where the last ends
    exact: bool          # bounds told by the synthesiser, not estimated


def resample(samples, rate, speed):
    """To 16 kHz; speed > 1 also plays faster and higher."""
    down = int(round(rate * speed / 50) * 50)
    common = np.gcd(features.RATE, down)
    return scipy.signal.resample_poly(samples, features.RATE // common, down // common)


def speech_span(samples, threshold):
    """First and last sample louder than threshold * peak, with a margin."""
    loud = np.flatnonzero(np.abs(samples) > threshold * np.abs(samples).max())
    first = max(0, loud[0] - int(BEFORE * features.RATE))
    return first, min(len(samples), loud[-1] + int(AFTER * features.RATE))


def room(rng):
    """A random room's impulse response, 16 kHz."""
    decay = rng.uniform(0.1, 0.5)                         # RT60, seconds
    time_axis = np.arange(int(features.RATE * min(decay, 0.35))) / features.RATE
    response = rng.standard_normal(len(time_axis)) * np.exp(-6.9 * time_axis / decay)
    response *= rng.uniform(0.02, 0.12)
    response[:int(features.RATE * rng.uniform(0.001, 0.006))] = 0
    response[0] = 1
    return response


class Maker:
    """Speaks sentences with random training voices."""

    def __init__(self, seed, filters):
        self.rng, self.noise = random.Random(seed), np.random.default_rng(seed)
        self.filters, self.espeak = filters, speech.Espeak()
        self.grammar = grammar.Grammar()
        self.features, self.utterances, self.babble, self.frames = [], [], [], 0
        self.waiting = {voice: [] for voice in speech.FESTIVAL_VOICES}

    def add(self, recording, speed, sentence, voice):
        """Trim, resample, perhaps reverberate, and store a recording."""
        samples, rate, starts = recording
        words, question = sentence
        exact = starts is not None and None not in starts
        if len(samples) < rate // 10 or np.abs(samples).max() < 1e-3:
            return
        samples = resample(samples, rate, speed).astype(np.float32)
        first, last = speech_span(samples, 0.01)
        samples = samples[first:last] / np.abs(samples).max()
        seconds = len(samples) / features.RATE
        if not exact:            # espeak's timing of the same words, stretched to fit
            said, said_rate, known = self.espeak.say(" ".join(words), "en-us")
            known = known or list(np.arange(len(words)) / len(words))
            starts = np.array(known) * seconds / (len(said) / said_rate)
        else:
            starts = np.array(starts) / speed - first / features.RATE
        if self.rng.random() < 0.35:
            samples = scipy.signal.fftconvolve(samples, room(self.noise)).astype(np.float32)
            first, last = speech_span(samples, 0.003)
            samples, starts = samples[first:last], starts - first / features.RATE
            samples /= np.abs(samples).max()
        if len(samples) > LONGEST * features.RATE:
            return
        mel = features.log_mel(samples, self.filters).astype(np.float16)
        bounds = np.clip(np.append(starts, seconds - AFTER) * 100, 0, len(mel))
        self.features.append(mel)
        self.utterances.append(Utterance(self.frames, len(mel), words, question, voice,
                                         np.maximum.accumulate(bounds).astype(np.float32), exact))
        self.frames += len(mel)
        if len(self.babble) < 150:
            self.babble.append(samples)

    def one(self):
        """Speak one more sentence (festival's are spoken sixty at a time)."""
        rng, sentence = self.rng, self.grammar.draw(self.rng)
        text = grammar.as_text(*sentence, stop=rng.random() > 0.15)
        kind = rng.random()
        if kind < 0.64:
            accent, variant = rng.choice(speech.ESPEAK_ACCENTS), rng.choice(speech.ESPEAK_VARIANTS)
            recording = self.espeak.say(text, accent, variant, rng.randint(110, 230),
                                        rng.randint(15, 85), rng.choice([0, 0, 0, 1, 2, 4, 8]))
            self.add(recording, rng.uniform(0.92, 1.08), sentence, f"espeak {accent}+{variant}")
        elif kind < 0.86:
            voice = rng.choice(speech.FLITE_VOICES)
            pitch = rng.randint(140, 220) if voice == "slt" else rng.randint(85, 150)
            recording = speech.flite(text, voice, rng.uniform(0.75, 1.35), pitch)
            self.add(recording, rng.uniform(0.86, 1.18), sentence, "flite " + voice)
        else:
            voice = rng.choice(speech.FESTIVAL_VOICES)
            self.waiting[voice].append((text, rng.uniform(0.75, 1.3), sentence))
            if len(self.waiting[voice]) == FESTIVAL_BATCH:
                items, self.waiting[voice] = self.waiting[voice], []
                spoken = speech.festival([item[:2] for item in items], voice)
                for recording, item in zip(spoken, items):
                    if recording:
                        self.add(recording, rng.uniform(0.86, 1.16), item[2], "festival " + voice)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=20000, help="utterances")
    parser.add_argument("--minutes", type=float, default=30, help="stop after this long")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="source of the mel filters")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    maker = Maker(args.seed, ggml.read(args.model, tensors=False).filters)
    begin = time.time()
    while len(maker.utterances) < args.count and time.time() - begin < args.minutes * 60:
        maker.one()
        if len(maker.utterances) % 2000 == 0:
            print(f"{len(maker.utterances)} utterances, {time.time() - begin:.0f} s", flush=True)
    np.save(args.out + ".npy", np.concatenate(maker.features))
    Path(args.out + ".pkl").write_bytes(pickle.dumps({
        "utterances": [vars(utterance) for utterance in maker.utterances],
        "babble": maker.babble}))
    print(f"{len(maker.utterances)} utterances, {maker.frames / 360000:.1f} h", flush=True)


if __name__ == "__main__":
    main()
