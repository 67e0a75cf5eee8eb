"""Recordings with what is said in them."""

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16_000
FRAME = RATE // 50


@dataclass
class Recording:
    name: str
    text: str
    language: str
    samples: np.ndarray
    path: Path
    """The file, if there is one."""

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE

    @property
    def voiced(self) -> tuple[float, float]:
        return voiced(self.samples)


def read(path: Path) -> np.ndarray:
    """Signed 16-bit samples, mono, 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != RATE:
        mono = soxr.resample(mono, rate, RATE)
    return np.clip(np.round(mono * 32767), -32768, 32767).astype(np.int16)


def resampled(samples: np.ndarray, rate: int) -> np.ndarray:
    return samples if rate == RATE else soxr.resample(samples, RATE, rate)


def voiced(samples: np.ndarray) -> tuple[float, float]:
    """Where the voice begins and ends, in seconds, by its energy: within 35 dB of the loudest 20 ms, but above the
    recording's own noise. Zeros if there is none."""
    count = len(samples) // FRAME
    if count == 0:
        return 0.0, 0.0
    frames = samples[: count * FRAME].reshape(count, FRAME).astype(np.float64)
    levels = 10 * np.log10((frames**2).mean(axis=1) + 1e-3)
    loudest, noise = levels.max(), np.percentile(levels, 10)
    if loudest < 0:  # less than one step of sixteen bits
        return 0.0, 0.0
    threshold = min(max(loudest - 35, noise + 8), loudest - 20)
    loud = levels > threshold
    # A click is no voice: of three frames in a row two must be loud.
    sure = loud & (np.convolve(loud, [1, 1, 1], "same") >= 2)
    where = np.flatnonzero(sure if sure.any() else loud)
    if len(where) == 0:
        return 0.0, 0.0
    return float(where[0] * FRAME / RATE), float((where[-1] + 1) * FRAME / RATE)


def load(folder: Path, languages: list[str], limit: int, only: str) -> list[Recording]:
    """The recordings that `truth.tsv` of the folder names, in its order; with a limit, taken evenly from the whole."""
    table = folder / "truth.tsv"
    if not table.exists():
        raise SystemExit(f"error: {table} is not there\nhint: FOLDER=... names a folder with recordings and truth.tsv (file, text, lang)")
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = [row for row in rows if (not languages or row["lang"] in languages) and only in row["file"] and row["text"].strip()]
    if not rows:
        raise SystemExit(f"error: {table} has no recording in {', '.join(languages) or 'any language'} with {only!r} in its name")
    if limit and limit < len(rows):
        rows = [rows[at * len(rows) // limit] for at in range(limit)]
    return [Recording(row["file"], row["text"], row["lang"], read(folder / row["file"]), folder / row["file"]) for row in rows]


def noises(folder: Path) -> list[Recording]:
    """Every recording of a folder, as one in which nobody speaks."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".flac", ".wav", ".ogg", ".mp3"})
    return [Recording(path.name, "", "", read(path), path) for path in files]


@dataclass
class Said:
    """An utterance in a long recording, with the seconds where its voice begins and ends."""

    name: str
    text: str
    begin: float
    end: float


def join(parts: list[Recording], seconds: float, seed: int) -> tuple[np.ndarray, list[Said]]:
    """Recordings one after the other, in an order and with pauses (0.4 to 1.3 s) that the seed decides, until it is so
    long. Each is heard at most once a round."""
    chance = random.Random(seed)
    samples: list[np.ndarray] = []
    said: list[Said] = []
    at = 0
    while at < seconds * RATE:
        for part in chance.sample(parts, len(parts)):
            if at >= seconds * RATE:
                break
            begin, end = part.voiced
            said.append(Said(part.name, part.text, at / RATE + begin, at / RATE + end))
            pause = np.zeros(round(chance.uniform(0.4, 1.3) * RATE), np.int16)
            samples += [part.samples, pause]
            at += len(part.samples) + len(pause)
    return np.concatenate(samples), said
