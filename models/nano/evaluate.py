"""Word error rates of models through whisper.cpp itself, as Markdown tables.

    python evaluate.py --test work/test MODEL.bin [MODEL.bin ...]

Decoding is what a live server does: greedy, no fallback, one thread, no flash
attention, and the smallest audio context of 128, 256 or 512 frames that holds
the recording.
"""
import argparse
import csv
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile
from pywhispercpp.model import Model

CONTEXTS = (128, 256, 512)
SETS = ("phrases phrases-10dB extended extended-10dB words short teens telephone pairs cut "
        "silence").split()


def normalise(text):
    """Lower-case words; bracketed and parenthesised notes are dropped."""
    return re.sub(r"[^a-z' ]", "", re.sub(r"\[.*?\]|\(.*?\)", "", text.lower())).split()


def edits(right, heard):
    """Least number of word substitutions, deletions and insertions."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(right, 1):
        previous, row[0] = row[0], i
        for j, other in enumerate(heard, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (word != other))
    return row[-1]


def transcribe(path, files, context=None):
    """Texts that the model at `path` hears in 16 kHz WAV files; `context` forces one
    audio context for all."""
    model = Model(str(path), redirect_whispercpp_logs_to=None, n_threads=1, no_timestamps=True,
                  single_segment=True, temperature_inc=0.0, greedy={"best_of": 1},
                  print_progress=False, language="en",
                  context_params={"use_gpu": False, "flash_attn": False})
    texts = []
    for file in files:
        samples, _ = soundfile.read(file, dtype="float32")
        frames = len(samples) / 320 + 4
        fitting = context or next((c for c in CONTEXTS if frames <= c), CONTEXTS[-1])
        padded = np.concatenate([samples, np.zeros(max(0, 1600 - len(samples)), np.float32)])
        segments = model.transcribe(padded, audio_ctx=fitting)
        texts.append(" ".join(segment.text for segment in segments).strip())
    return texts


def group(row):
    """Names of the table lines a row of test.tsv counts for."""
    _, name, voice, _ = row
    lines = [("set", name)]
    if name.startswith("phrases"):
        kind = "10 dB" if name.endswith("10dB") else "clean"
        parts = ["flite awb"] if voice == "awb" else ["espeak " + p for p in voice.split("+")]
        lines += [(part, kind) for part in parts]
    return lines


def score(rows, texts):
    """{line: [edits, words, files, wrong files]}"""
    totals = defaultdict(lambda: [0, 0, 0, 0])
    for row, text in zip(rows, texts):
        right = normalise(row[3])
        wrong = edits(right, normalise(text))
        for line in group(row):
            for index, value in enumerate((wrong, len(right), 1, wrong > 0)):
                totals[line][index] += value
    return totals


def cell(total):
    errors, words, files, wrong = total
    if words == 0:
        return f"{errors} words"
    return f"{100 * errors / words:.1f} ({100 * wrong / files:.0f})"


def tables(scores):
    """Markdown of {model name: score}: by set, then by voice."""
    names = list(scores)
    first = scores[names[0]]
    lines = ["| set | files | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    for name in SETS:
        key = ("set", name)
        if key in first:
            lines.append(f"| {name} | {first[key][2]} | "
                         + " | ".join(cell(scores[n][key]) for n in names) + " |")
    columns = [(kind, name) for kind in ("clean", "10 dB") for name in names]
    lines += ["", "| voice | files | " + " | ".join(f"{k}, {n}" for k, n in columns) + " |",
              "|---|---|" + "---|" * len(columns)]
    for voice in sorted({key[0] for key in first if key[0] != "set"}):
        lines.append(f"| {voice} | {first[voice, 'clean'][2]} | "
                     + " | ".join(cell(scores[n][voice, k]) for k, n in columns) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+")
    parser.add_argument("--test", required=True, help="folder made by testset.py")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--every", type=int, default=1, help="use only every n-th file")
    parser.add_argument("--context", type=int, help="one audio context for all files")
    parser.add_argument("--save", help="write what was heard to this JSON file")
    parser.add_argument("--show", type=int, default=0, help="print this many mistakes")
    args = parser.parse_args()
    folder = Path(args.test)
    with open(folder / "test.tsv", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row[1] in args.sets]
    rows = rows[::args.every]
    scores, heard = {}, {}
    for path in args.models:
        texts = transcribe(path, [folder / row[0] for row in rows], args.context)
        scores[Path(path).stem] = score(rows, texts)
        heard[Path(path).stem] = [(*row, text) for row, text in zip(rows, texts)]
        wrong = [(row, text) for row, text in zip(rows, texts)
                 if normalise(row[3]) != normalise(text)]
        for row, text in wrong[::max(1, len(wrong) // max(1, args.show))][:args.show]:
            print(f"{row[1]} {row[2]}: {row[3]} -> {text}")
    print(tables(scores))
    if args.save:
        Path(args.save).write_text(json.dumps(heard, indent=0))


if __name__ == "__main__":
    main()
