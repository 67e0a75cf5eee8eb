"""Log-mel features as whisper.cpp computes them, and GPT-2's tokens.

Filters and token strings come from the header of a ggml model file, so
nothing has to be downloaded.
"""
import re

import numpy as np
import scipy.fft

RATE = 16000          # samples per second
HOP, WINDOW = 160, 400
FLOOR = -10.0         # log10 of the smallest mel power
HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+")


def log_mel(samples, filters):
    """Samples (n,) at 16 kHz -> log10 mel power (n // 160, 80), not normalised."""
    samples = np.asarray(samples, np.float32)
    frames = len(samples) // HOP
    padded = np.concatenate([samples[1:201][::-1], samples, np.zeros(WINDOW, np.float32)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    spectrum = scipy.fft.rfft(windows * HANN, axis=1)
    power = (spectrum.real ** 2 + spectrum.imag ** 2).astype(np.float32)
    return np.log10(np.maximum(power @ filters.T, 10.0 ** FLOOR))


class Tokens:
    """GPT-2's byte pair encoding; in its token list the id order is the merge order."""

    def __init__(self, strings):
        self.strings = strings
        self.ids = {text: index for index, text in reversed(list(enumerate(strings)))}

    def _merge(self, piece):
        parts = [bytes([byte]) for byte in piece]
        while len(parts) > 1:
            pairs = [(self.ids.get(a + b), i) for i, (a, b) in enumerate(zip(parts, parts[1:]))]
            pairs = [pair for pair in pairs if pair[0] is not None]
            if not pairs:
                break
            index = min(pairs)[1]
            parts[index:index + 2] = [parts[index] + parts[index + 1]]
        return [self.ids[part] for part in parts]

    def encode(self, text):
        """Text -> list of token ids."""
        return [i for piece in PIECES.findall(text) for i in self._merge(piece.encode())]
