"""Recordings of sentences that the bundled recogniser understands, and what one can say about a sound."""

import array
import functools
import io
import math
import subprocess
import wave

#: What OpenAI's Realtime protocol sends and wants.
RATE = 24_000

QUESTION = "What is five plus seven?"
#: In every transcript of it and in what is heard of the answer, which repeats it; and only in the answer's text.
ASKED, ANSWER = "five plus seven", "twelve"


@functools.cache
def recording(text: str, rate: int = RATE) -> bytes:
    """`text` spoken by espeak-ng: signed 16-bit mono, with half a second of silence before it and none after."""
    spoken = subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "--stdout", text], check=True, stdout=subprocess.PIPE)
    resampled = subprocess.run(
        ["sox", "--ignore-length", "-t", "wav", "-", "-t", "raw", "-e", "signed", "-b", "16", "-c", "1", "-r", str(rate), "-"],
        check=True,
        input=spoken.stdout,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    return silence(0.5, rate) + resampled.stdout


def silence(seconds: float, rate: int = RATE) -> bytes:
    return bytes(2 * int(seconds * rate))


def said(text: str, rate: int = RATE) -> bytes:
    """`text` as one turn: the silence that ends it included."""
    return recording(text, rate) + silence(1.5, rate)


def pieces(pcm: bytes, milliseconds: int = 100, rate: int = RATE) -> list[bytes]:
    size = 2 * rate * milliseconds // 1000
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


def wav(pcm: bytes, rate: int = RATE) -> bytes:
    """The same as a file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()


def samples(pcm: bytes) -> array.array:
    assert len(pcm) % 2 == 0, "half a sample"
    return array.array("h", pcm)


def loudness(pcm: bytes) -> float:
    """Root mean square."""
    heard = samples(pcm)
    return math.sqrt(sum(sample * sample for sample in heard) / max(len(heard), 1))


def seconds(pcm: bytes, rate: int = RATE) -> float:
    return len(pcm) / 2 / rate


def sounds(pcm: bytes, rate: int = RATE) -> None:
    """Fails unless this may be a spoken sentence or two."""
    assert 0.5 < seconds(pcm, rate) < 60, f"{seconds(pcm, rate)} s"
    assert loudness(pcm) > 300, f"loudness {loudness(pcm)}"
