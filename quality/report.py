"""Tables for people, as Markdown, and the raw results as TSV."""

import csv
import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from .outcome import Door, percentile


def processor() -> str:
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.M)
    return names[0] if names else platform.processor() or platform.machine()


class Machine:
    """What the numbers belong to. Made before anything runs, since the load is that of before."""

    def __init__(self) -> None:
        self.processor = processor()
        self.cores = len(os.sched_getaffinity(0))
        self.load = os.getloadavg()[0]
        self.date = datetime.date.today().isoformat()

    def line(self) -> str:
        return f"machine: {self.processor}, {self.cores} cores, load {self.load:.2f} before the start, {self.date}"

    @property
    def slug(self) -> str:
        return f"{self.date}-{re.sub('[^a-z0-9]+', '-', self.processor.lower()).strip('-')}-{self.cores}"


def version_of(args) -> str:
    """The program's own version, and the commit of the checkout where it lies, if it lies in one."""
    if args.doors == "none":
        return "other programs only"
    told = subprocess.run([args.binary, "--version"], capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    commit = subprocess.run(["git", "-C", args.binary.parent, "describe", "--always", "--dirty"], capture_output=True, text=True, timeout=60, check=False).stdout.strip()
    return f"{told or 'aigolos'}{f' ({commit})' if commit else ''}"


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """As Markdown that also reads well as it is."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


HEAD = ["through", "WER %", "errors/words", "no words", "doubled", "failed", "wall s each", "CPU s each"]
HEAD_NOISE = ["phantom words"]
HEAD_LIVE = ["through", "text after p50 s", "p95 s", "decoding s each", "of one pass", "decodes each", "partials each", "turns each", "changed"]


def rows(doors: list[Door]) -> str:
    noise = any(door.phantoms is not None for door in doors)
    body = []
    for door in doors:
        walls = [outcome.wall for outcome in door.outcomes if outcome.wall is not None]
        row = [
            door.name + (f" {door.note}" if door.note else ""),
            f"{door.wer:.1f}",
            f"{door.errors}/{door.truth_words}",
            f"{sum(outcome.empty for outcome in door.outcomes)}/{len(door.outcomes)}",
            f"{sum(outcome.doubled for outcome in door.outcomes)}",
            f"{sum(bool(outcome.trouble) for outcome in door.outcomes)}",
            number(sum(walls) / len(walls) if walls else None),
            number(door.cpu_each),
        ]
        if noise:
            row.append("" if door.phantoms is None else f"{door.phantoms} in {door.noise_seconds:.0f} s")
        body.append(row)
    return table(HEAD + (HEAD_NOISE if noise else []), body)


def one_pass(doors: list[Door]) -> float | None:
    """Decoding of an utterance once, by the first door that takes files whole."""
    return next((door.compute for door in doors if not door.live and door.compute), None)


def live_rows(doors: list[Door]) -> str:
    single = one_pass(doors)
    body = []
    for door in doors:
        if not door.live:
            continue
        each = max(1, len(door.outcomes))
        decodes = [value for name, value in door.decodes.items() if name.endswith("_n")]
        body.append([
            door.name,
            number(percentile(door.text_after, 50)),
            number(percentile(door.text_after, 95)),
            number(door.compute),
            number(door.compute / single if door.compute and single else None, 1),
            number(sum(decodes) / each if decodes else None, 1),
            number(sum(outcome.partials for outcome in door.outcomes) / each, 1),
            number(sum(outcome.turns for outcome in door.outcomes) / each, 1),
            str(sum(outcome.changed for outcome in door.outcomes)),
        ])  # fmt: skip
    return table(HEAD_LIVE, body) if body else ""


def by_language(doors: list[Door]) -> str:
    """The word error rate of each language, where there are several."""
    languages = sorted({outcome.language for door in doors for outcome in door.outcomes})
    if len(languages) < 2:
        return ""
    body = []
    for door in doors:
        parts = [Door(door.name, [one for one in door.outcomes if one.language == language]) for language in languages]
        body.append([door.name, *(f"{part.wer:.1f}" for part in parts)])
    return table(["WER %", *languages], body)


def worst(doors: list[Door], most: int) -> str:
    """What went wrong, for those who want to mend it."""
    lines = []
    for door in doors:
        wrong = [one for one in door.outcomes if one.trouble or one.empty or one.doubled or one.changed]
        wrong += sorted((one for one in door.outcomes if one not in wrong and one.errors), key=lambda one: -one.errors)
        for one in wrong[:most]:
            marks = [name for name, is_so in (("empty", one.empty), ("doubled", one.doubled), ("changed", one.changed)) if is_so]
            lines.append(f"{door.name:10.10} {one.name:40.40} {one.errors:3} {','.join(marks):15} {one.trouble or one.heard!r}  said: {one.truth!r}")
    return "\n".join(lines)


FIELDS = ["door", "file", "language", "seconds", "errors", "words", "empty", "doubled", "wall_s", "cpu_s", "text_after_s", "partials", "changed", "turns", "late_s", "trouble", "heard", "truth"]  # fmt: skip


def save(doors: list[Door], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, escapechar="\\")
        out.writerow(FIELDS)
        for door in doors:
            for one in door.outcomes:
                row = [door.name, one.name, one.language, number(one.seconds), one.errors, len(one.pair[0]), int(one.empty), int(one.doubled),
                       number(one.wall, 3), number(one.cpu, 3), number(one.text_after, 3), one.partials, one.changed, one.turns, number(one.late, 3),
                       one.trouble, one.heard, one.truth]  # fmt: skip
                out.writerow([str(cell).replace("\t", " ").replace("\n", " ") for cell in row])
