"""Other programs on the same files: whisper.cpp with the same weights, faster-whisper with a CTranslate2 folder."""

import importlib.metadata
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from .outcome import Door, Outcome
from .recordings import Recording


@dataclass
class Heard:
    text: str
    segments: list[tuple[float, float]]
    """Begin and end, in seconds."""
    words: list[tuple[str, float, float]]
    """Where the program tells them."""


class Peer(Protocol):
    name: str

    def hear(self, samples: np.ndarray, language: str, long: bool) -> Heard: ...


class WhisperCpp:
    """whisper.cpp as pywhispercpp has it: its defaults, the whole context of 30 s whatever the length."""

    def __init__(self, model: Path, threads: int):
        from pywhispercpp.model import Model

        self.name = f"whisper.cpp (pywhispercpp {importlib.metadata.version('pywhispercpp')}), {threads} threads"
        quiet = {"print_progress": False, "print_realtime": False, "print_timestamps": False, "redirect_whispercpp_logs_to": None}
        self._model = Model(str(model), n_threads=threads, **quiet)

    def hear(self, samples: np.ndarray, language: str, long: bool) -> Heard:
        segments = self._model.transcribe(samples.astype(np.float32) / 32768, language=language or "auto")
        return Heard(" ".join(part.text.strip() for part in segments), [(part.t0 / 100, part.t1 / 100) for part in segments], [])


class FasterWhisper:
    """faster-whisper in 8-bit integers, greedy unless told otherwise; long recordings through its voice filter."""

    def __init__(self, model: str, threads: int, beam: int):
        from faster_whisper import WhisperModel

        version = importlib.metadata.version("faster-whisper")
        self.name = f"faster-whisper {version} int8, beam {beam}, {threads} threads"
        self._beam = beam
        self._model = WhisperModel(model, device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True)

    def hear(self, samples: np.ndarray, language: str, long: bool) -> Heard:
        settings = {"vad_filter": True, "word_timestamps": True} if long else {}
        parts, _ = self._model.transcribe(samples.astype(np.float32) / 32768, language=language or None, beam_size=self._beam, **settings)
        parts = list(parts)
        words = [(word.word, word.start, word.end) for part in parts for word in part.words or []]
        return Heard(" ".join(part.text.strip() for part in parts), [(part.start, part.end) for part in parts], words)


def used() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    return own.ru_utime + own.ru_stime


def run(peer: Peer, recordings: list[Recording], noise: list[Recording], tell: bool, told) -> Door:
    """Every recording through another program; a short one first, so that it is warm as the server is."""
    peer.hear(recordings[0].samples[:16_000], recordings[0].language if tell else "", long=False)
    outcomes = []
    began = time.monotonic()
    for recording in recordings:
        outcome = Outcome(recording.name, recording.language, recording.text, recording.seconds)
        wall, cpu = time.monotonic(), used()
        outcome.heard = peer.hear(recording.samples, recording.language if tell else "", long=False).text
        outcome.wall, outcome.cpu = time.monotonic() - wall, used() - cpu
        outcomes.append(outcome)
        told(outcome)
    door = Door(peer.name, outcomes, wall=time.monotonic() - began)
    if noise:
        heard = [Outcome(part.name, "en", "", part.seconds, peer.hear(part.samples, "en" if tell else "", long=False).text) for part in noise]
        door.phantoms, door.noise_seconds = phantoms(heard), sum(part.seconds for part in noise)
    return door


def phantoms(heard: list[Outcome]) -> int:
    return sum(len(outcome.pair[1]) for outcome in heard)
