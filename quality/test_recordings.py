"""Where a voice ends, and where utterances lie in a joined recording."""

import unittest
from pathlib import Path

import numpy as np

from quality.recordings import RATE, Recording, join, voiced


def tone(seconds: float, level: float) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.round(level * 32767 * np.sin(2 * np.pi * 200 * time)).astype(np.int16)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


class Voiced(unittest.TestCase):
    def test_the_voice_is_found_whatever_its_level(self):
        for level in (0.9, 0.02):
            begin, end = voiced(np.concatenate([silence(0.5), tone(1, level), silence(0.7)]))
            self.assertAlmostEqual(begin, 0.5, delta=0.03)
            self.assertAlmostEqual(end, 1.5, delta=0.03)

    def test_noise_and_clicks_are_no_voice(self):
        chance = np.random.default_rng(1)
        samples = np.concatenate([silence(1), tone(1, 0.5), silence(1)])
        samples[int(2.6 * RATE)] = 30_000
        noisy = samples + chance.normal(0, 60, len(samples)).astype(np.int16)
        begin, end = voiced(noisy)
        self.assertAlmostEqual(begin, 1, delta=0.03)
        self.assertAlmostEqual(end, 2, delta=0.03)

    def test_nothing_has_no_voice(self):
        self.assertEqual(voiced(silence(1)), (0.0, 0.0))
        self.assertEqual(voiced(silence(0)), (0.0, 0.0))


class Joined(unittest.TestCase):
    def test_times_are_those_of_the_voices(self):
        parts = [Recording(f"{length}", "x", "en", np.concatenate([silence(0.2), tone(length, 0.5), silence(0.1)]), Path()) for length in (1, 2, 3)]
        samples, said = join(parts, 20, seed=3)
        again, same = join(parts, 20, seed=3)
        self.assertTrue((samples == again).all() and said == same)
        self.assertGreaterEqual(len(samples), 20 * RATE)
        self.assertEqual({one.name for one in said[:3]}, {"1", "2", "3"})
        for one, following in zip(said, said[1:]):
            self.assertAlmostEqual(one.end - one.begin, float(one.name), delta=0.05)
            self.assertTrue(0.4 < following.begin - one.end < 1.7)
            self.assertGreater(np.abs(samples[int((one.begin + 0.05) * RATE) : int((one.end - 0.05) * RATE)]).mean(), 1000)


if __name__ == "__main__":
    unittest.main()
