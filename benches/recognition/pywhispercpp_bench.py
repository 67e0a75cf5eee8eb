"""Decodes the WAV files named on standard input with pywhispercpp, one thread: milliseconds, tab, text per line."""

import os
import sys
import time
import wave

import numpy
from pywhispercpp.model import Model

# What the library prints to the process's standard output must not mix with the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def read(path):
    """A 16 kHz mono WAV file as floats of -1 to 1."""
    with wave.open(path) as file:
        samples = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    return samples.astype(numpy.float32) / 32768.0


model = Model(
    sys.argv[1],
    n_threads=1,
    language="en",
    temperature_inc=0.0,
    greedy={"best_of": 1},
    print_progress=False,
    print_realtime=False,
)
print("ready", file=answers, flush=True)
for line in sys.stdin:
    audio = read(line.strip())
    started = time.perf_counter()
    segments = model.transcribe(audio)
    ms = (time.perf_counter() - started) * 1000.0
    text = " ".join(segment.text.strip() for segment in segments)
    print(f"{ms:.3f}\t{text}", file=answers, flush=True)
