"""Make the held-out test recordings from test_sentences.txt.

    python testset.py work/test

writes 16 kHz WAV files and work/test/test.tsv with the columns file, set, voice,
text. Only voices that are never trained on speak here (see speech.py). The
result does not depend on chance: the same programs make the same files.

Sets: `phrases` (sentences of the first, smaller grammar), `extended` (sentences
with the words added since), the same at 10 dB signal to noise (`-10dB`),
`words` (4 to 6 unrelated words), `short` (one to three words), `teens`
(-teen against -ty), `telephone` (8 kHz, 300 to 3400 Hz), `pairs` (two sentences
and a pause), `cut` (ends inside a word: only the words before it count) and
`silence` (silence and noises: no word is right).
"""
import csv
import random
import sys
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

import speech
from features import RATE
from make_data import resample

HERE = Path(__file__).parent
VOICES = [(accent, variant) for variant in speech.HELD_OUT_VARIANTS
          for accent in speech.HELD_OUT_ACCENTS]


def sentences(path=HERE / "test_sentences.txt"):
    """{section: [text, ...]} of the test sentences."""
    sections, current = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return sections


def coloured_noise(count, slope, rng):
    """(count,) noise of standard deviation 1 with power ~ 1 / frequency ** slope."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.maximum(np.arange(len(spectrum)), 1)
    noise = np.fft.irfft(spectrum * frequency ** (-slope / 2), count)
    return noise / noise.std()


def add_noise(samples, ratio, slope, rng):
    """Noise `ratio` dB below the power of the samples that carry speech."""
    loud = np.abs(samples) > 0.02 * np.abs(samples).max()
    level = np.sqrt((samples[loud] ** 2).mean() / 10 ** (ratio / 10))
    return samples + level * coloured_noise(len(samples), slope, rng)


class TestSet:
    def __init__(self, folder):
        self.folder, self.rows = Path(folder), []
        self.folder.mkdir(parents=True, exist_ok=True)
        self.espeak = speech.Espeak()
        self.rng, self.draw = np.random.default_rng(7), random.Random(7)

    def speak(self, text, voice, cut_after=None):
        """16 kHz samples with 0.1 to 0.5 s of silence before and after (none after
        a cut). voice: (accent, variant), or a flite voice's name."""
        if isinstance(voice, str):
            samples, rate, _ = speech.flite(text, voice)
        else:
            samples, rate, starts = self.espeak.say(text, *voice, rate=self.draw.randint(140, 190))
            if cut_after is not None:
                begin = starts[cut_after]
                ends = starts + [len(samples) / rate]
                samples = samples[:int(rate * (begin + 0.3 * (ends[cut_after + 1] - begin)))]
        samples = resample(samples, rate, 1.0)
        samples *= 0.4 / np.abs(samples).max()
        before, after = (np.zeros(self.draw.randint(1600, 8000)) for _ in range(2))
        return np.concatenate([before, samples] + [after] * (cut_after is None))

    def add(self, name, voice, text, samples):
        title = voice if isinstance(voice, str) else "+".join(voice)
        file = f"{len(self.rows):04d}.wav"
        soundfile.write(self.folder / file, np.clip(samples, -1, 1), RATE, subtype="PCM_16")
        self.rows.append((file, name, title, text))

    def phrases(self, name, texts, each, by_awb):
        """Every espeak voice says `each` of the texts, awb says `by_awb`; clean and in noise."""
        jobs = [(voice, texts[(v * each + i) % len(texts)])
                for v, voice in enumerate(VOICES) for i in range(each)]
        jobs += [("awb", texts[i % len(texts)]) for i in range(by_awb)]
        for index, (voice, text) in enumerate(jobs):
            samples = self.speak(text, voice)
            self.add(name, voice, text, samples)
            self.add(name + "-10dB", voice, text, add_noise(samples, 10, index % 2, self.rng))

    def special(self, texts):
        voices = (VOICES + ["awb"] * 4) * 10
        self.draw.shuffle(voices)
        phrases = texts["phrases"]
        for name in ("words", "short", "teens"):
            for text, voice in zip(texts[name], voices):
                self.add(name, voice, text, self.speak(text, voice))
        band = scipy.signal.butter(6, [300, 3400], "band", fs=RATE, output="sos")
        for text, voice in zip(phrases[10:60], voices[50:]):
            narrow = scipy.signal.resample_poly(self.speak(text, voice), 1, 2)
            self.add("telephone", voice, text,
                     scipy.signal.sosfilt(band, scipy.signal.resample_poly(narrow, 2, 1)))
        for first, second, voice in zip(phrases[20:50], phrases[60:90], voices[90:]):
            both = np.concatenate([self.speak(first, voice), self.speak(second, voice)])
            self.add("pairs", voice, first + " " + second, both)
        long = [text for text in phrases if len(text.split()) >= 4]
        for text, voice in zip(long[:60], [v for v in voices if v != "awb"]):
            words = text.split()
            spoken = self.draw.randint(1, len(words) - 1)
            self.add("cut", voice, " ".join(words[:spoken]), self.speak(text, voice, spoken))

    def silence(self):
        for level in (None, -70, -55, -40, -30, -20):                 # dB of full scale
            for kind, slope in (("white", 0), ("pink", 1), ("brown", 2), ("hum", None)):
                count = RATE * self.draw.randint(1, 5)
                if level is None:
                    noise = np.zeros(count)
                elif kind == "hum":
                    t = np.arange(count) / RATE
                    noise = sum(np.sin(100 * np.pi * k * t) / k for k in range(1, 9))
                else:
                    noise = coloured_noise(count, slope, self.rng)
                scale = 0 if level is None else 10 ** (level / 20) / noise.std()
                self.add("silence", kind, "", noise * scale)


def main():
    texts = sentences()
    test = TestSet(sys.argv[1])
    test.phrases("phrases", texts["phrases"], 10, 60)
    test.phrases("extended", texts["extended"], 6, 40)
    test.special(texts)
    test.silence()
    with open(test.folder / "test.tsv", "w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows(test.rows)
    print(len(test.rows), "files")


if __name__ == "__main__":
    main()
