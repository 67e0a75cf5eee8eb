"""Recordings joined to one long file: what is lost or said twice where they meet, and how good the times are."""

import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from . import files, words
from .peers import Heard, Peer, used
from .recordings import RATE, Recording, Said
from .report import number, table
from .server import Server

#: A request for a long recording may take so many times its length, and so many seconds besides.
PACE, PATIENCE = 4.0, 600.0


@dataclass
class Long:
    """What one program made of the file."""

    name: str
    heard: Heard
    wall: float
    cpu: float | None
    memory: float | None = None
    errors: int = 0
    truth_words: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    segment_begins: list[float] = field(default_factory=list)
    segment_ends: list[float] = field(default_factory=list)


def judge(one: Long, said: list[Said], language: str) -> Long:
    """Puts the words in order beside the truth, and looks at each utterance by itself."""
    truth: list[str] = []
    owners: list[int] = []
    for index, utterance in enumerate(said):
        spoken = words.words(utterance.text, language)
        truth += spoken
        owners += [index] * len(spoken)
    # Each word of the text with the time of the word it was part of.
    got: list[str] = []
    times: list[tuple[float, float] | None] = []
    for text, *span in one.heard.words or [(one.heard.text,)]:
        plain = words.words(text, language)
        got += plain
        times += [tuple(span) if span else None] * len(plain)
    whole = words.words(one.heard.text, language)
    if one.heard.words and got != whole:
        # Numbers and short forms may be cut differently; the text counts for the errors, the words for the times.
        one.errors = words.errors(truth, whole)
    else:
        one.errors = words.errors(truth, got)
    one.truth_words = len(truth)
    pairs = words.aligned(truth, got)
    regions: list[list[int]] = [[] for _ in said]
    right: list[int] = [0] * len(said)
    owner = 0
    for a, b in pairs:
        if a is not None:
            owner = owners[a]
        if b is not None:
            regions[owner].append(b)
            right[owner] += a is not None and truth[a] == got[b]
    firsts = {owner: at for at, owner in reversed(list(enumerate(owners)))}
    lasts = {owner: at for at, owner in enumerate(owners)}
    partner = {a: b for a, b in pairs if a is not None and b is not None}
    for index, utterance in enumerate(said):
        spoken = [truth[at] for at in range(firsts[index], lasts[index] + 1)]
        if right[index] * 3 < len(spoken) and len(regions[index]) * 2 < len(spoken):
            one.lost.append(f"{utterance.begin:.1f} s {utterance.text!r}")
        elif words.doubled(spoken, [got[at] for at in regions[index]]):
            one.doubled.append(f"{utterance.begin:.1f} s {utterance.text!r}: {' '.join(got[at] for at in regions[index])!r}")
        for at, wanted, place, kept in ((firsts[index], utterance.begin, 0, one.begins), (lasts[index], utterance.end, 1, one.ends)):
            mate = partner.get(at)
            if mate is not None and times[mate] is not None and truth[at] == got[mate]:
                kept.append(times[mate][place] - wanted)
    if one.heard.segments:
        starts, stops = (np.array([segment[place] for segment in one.heard.segments]) for place in (0, 1))
        one.segment_begins = [float(starts[np.abs(starts - utterance.begin).argmin()] - utterance.begin) for utterance in said]
        one.segment_ends = [float(stops[np.abs(stops - utterance.end).argmin()] - utterance.end) for utterance in said]
    return one


def rest(server: Server, recording: Recording, tell: bool, patience: float) -> Heard:
    answer = files.rest_answer(server, recording, tell, patience)
    return Heard(answer["text"], [(part["start"], part["end"]) for part in answer.get("segments", [])],
                 [(word["word"], word["start"], word["end"]) for word in answer.get("words", [])])  # fmt: skip


def job(server: Server, recording: Recording, tell: bool, patience: float) -> Heard:
    answer = files.job_answer(server, recording, tell, patience, with_words=True)
    parts = answer["segments"]
    spans = [(word["text"], word["start_ms"] / 1000, word["end_ms"] / 1000) for part in parts for word in part.get("words") or []]
    return Heard(answer["text"], [(part["start_ms"] / 1000, part["end_ms"] / 1000) for part in parts], spans)


def command(binary: Path, server: Server, recording: Recording, tell: bool, patience: float) -> tuple[Heard, float]:
    own = {name: server.settings[name] for name in ("ASR_MODEL_NAME", "MODELS_DIR")}
    printed, cpu = files.command(binary, own, recording, tell, patience, with_words=True)
    text, *lines = printed.splitlines()
    spans = []
    for line in lines:
        begin, end, word = line.split(maxsplit=2)
        spans.append((word, int(begin) / 1000, int(end) / 1000))
    return Heard(text, [], spans), cpu


def through(name: str, server: Server, binary: Path, recording: Recording, tell: bool) -> Long:
    patience = PACE * recording.seconds + PATIENCE
    before, began = server.cpu(), time.monotonic()
    if name == "cli":
        heard, cpu = command(binary, server, recording, tell, patience)
        return Long(name, heard, time.monotonic() - began, cpu)
    heard = {"rest": rest, "job": job}[name](server, recording, tell, patience)
    return Long(name, heard, time.monotonic() - began, server.cpu() - before, server.peak_mb())


def by_peer(peer: Peer, recording: Recording, tell: bool) -> Long:
    before, began = used(), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(peer.hear, recording.samples, recording.language if tell else "", True).result(PACE * recording.seconds + PATIENCE)
    return Long(peer.name, heard, time.monotonic() - began, used() - before)


def written(samples: np.ndarray, said: list[Said], language: str, folder: Path) -> Recording:
    """The joined file with its truth beside it."""
    path = folder / "long.flac"
    soundfile.write(path, samples, RATE)
    lines = [f"{one.begin:.2f}\t{one.end:.2f}\t{one.name}\t{one.text}" for one in said]
    (folder / "long.tsv").write_text("begin\tend\tfile\ttext\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return Recording("long", " ".join(one.text for one in said), language, samples, path)


def scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="aigolos-quality-")


HEAD = ["through", "WER %", "errors/words", "seconds", "CPU s", "lost", "doubled", "word start ms", "word end ms", "segment start ms", "segment end ms", "peak MB"]  # fmt: skip


def median_ms(deviations: list[float]) -> str:
    return "" if not deviations else f"{statistics.median(abs(value) for value in deviations) * 1000:.0f} ({len(deviations)})"


def rows(all_of_them: list[Long]) -> str:
    body = []
    for one in all_of_them:
        body.append([
            one.name,
            f"{100 * one.errors / max(1, one.truth_words):.1f}",
            f"{one.errors}/{one.truth_words}",
            number(one.wall, 1),
            number(one.cpu, 1),
            str(len(one.lost)),
            str(len(one.doubled)),
            median_ms(one.begins),
            median_ms(one.ends),
            median_ms(one.segment_begins),
            median_ms(one.segment_ends),
            number(one.memory, 0),
        ])  # fmt: skip
    return table(HEAD, body)


def details(all_of_them: list[Long]) -> str:
    lines = []
    for one in all_of_them:
        lines += [f"{one.name}: lost at {what}" for what in one.lost] + [f"{one.name}: doubled at {what}" for what in one.doubled]
    return "\n".join(lines)
