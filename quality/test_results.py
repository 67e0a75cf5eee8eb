"""How results are judged: what a long recording lost, what was taken back, what stands in the tables."""

import unittest

from quality import long, report
from quality.live import Texts
from quality.long import Long, judge
from quality.outcome import Door, Outcome
from quality.peers import Heard
from quality.recordings import Said

SAID = [
    Said("a", "what time is it", 1.0, 2.0),
    Said("b", "lock the front door", 3.0, 4.5),
    Said("c", "he turned sharply and faced the table", 5.0, 8.0),
]


def heard(*parts: tuple[str, float]) -> Long:
    """Words of a quarter second each, from where each part begins."""
    words = [(word, begin + at / 4, begin + at / 4 + 0.2) for text, begin in parts for at, word in enumerate(text.split())]
    segments = [(begin, begin + len(text.split()) / 4) for text, begin in parts]
    return Long("x", Heard(" ".join(text for text, _ in parts), segments, words), 1.0, 1.0)


class Judged(unittest.TestCase):
    def test_all_is_well(self):
        one = judge(heard(("What time is it?", 1.1), ("Lock the front door.", 3.0), ("He turned sharply and faced the table.", 5.2)), SAID, "en")
        self.assertEqual((one.errors, one.lost, one.doubled), (0, [], []))
        self.assertEqual([round(value, 2) for value in one.begins], [0.1, 0.0, 0.2])
        self.assertEqual([round(value, 2) for value in one.segment_begins], [0.1, 0.0, 0.2])
        self.assertEqual(len(one.ends), 3)

    def test_what_is_lost_is_named(self):
        one = judge(heard(("What time is it?", 1.1), ("He turned sharply and faced the table.", 5.2)), SAID, "en")
        self.assertEqual(one.errors, 4)
        self.assertEqual(len(one.lost), 1)
        self.assertIn("lock the front door", one.lost[0])
        self.assertEqual(one.doubled, [])

    def test_what_is_doubled_is_named(self):
        one = judge(heard(("What time is it?", 1.1), ("Lock the front door. Lock the front door.", 3.0), ("He turned sharply and faced the table.", 5.2)), SAID, "en")
        self.assertEqual(one.errors, 4)
        self.assertEqual(one.lost, [])
        self.assertEqual(len(one.doubled), 1)
        self.assertIn("lock the front door", one.doubled[0])

    def test_a_wrong_word_is_neither(self):
        one = judge(heard(("What time is it?", 1.1), ("Lock a front door.", 3.0), ("He turned sharply and faced a table.", 5.2)), SAID, "en")
        self.assertEqual((one.errors, one.lost, one.doubled), (2, [], []))

    def test_without_word_times_the_words_are_judged_all_the_same(self):
        one = judge(Long("x", Heard("What time is it? He turned sharply and faced the table.", [], []), 1, 1), SAID, "en")
        self.assertEqual((one.errors, len(one.lost), one.begins), (4, 1, []))
        self.assertIn("| x ", long.rows([one]))


class Streamed(unittest.TestCase):
    def test_what_only_grows_has_not_changed(self):
        texts = Texts()
        for stable in ("", "What", "What time"):
            texts.partial(1, stable)
        texts.final(1, "What time is it?", 5.0)
        texts.partial(2, "")
        texts.final(2, "", 9.0)
        self.assertEqual((texts.changed, texts.partials, texts.whole(), texts.last_word), (0, 4, "What time is it?", 5.0))

    def test_what_is_taken_back_is_counted(self):
        texts = Texts()
        texts.partial(1, "What time")
        texts.partial(1, "What")
        texts.partial(1, "What is")
        texts.final(1, "That is", 5.0)
        self.assertEqual(texts.changed, 2)


class Tables(unittest.TestCase):
    def test_doors_are_summed_up(self):
        outcomes = [
            Outcome("a", "en", "what time is it", 1, "What time is it?", wall=1, text_after=0.5),
            Outcome("b", "en", "lock the front door", 1, "", wall=3, text_after=None),
            Outcome("c", "en", "next", 1, "Next. Next.", wall=2, text_after=1.5),
        ]
        door = Door("rest", outcomes, cpu=6.0, decodes={"final_s": 3.0, "final_n": 3.0, "audio_s": 9.0})
        self.assertEqual((door.errors, door.truth_words), (5, 9))
        self.assertEqual((door.cpu_each, door.compute), (2.0, 1.0))
        table = report.rows([door])
        self.assertIn("| rest    | 55.6  | 5/9 ", table)
        self.assertIn("1/3", table)
        live = report.live_rows([door, Door("ws", outcomes, live=True, decodes={"partial_s": 3.0, "final_s": 3.0, "partial_n": 6, "final_n": 3})])
        self.assertRegex(live, r"\| ws +\| 1\.00 +\| 1\.45 +\| 2\.00 +\| 2\.0 +\| 3\.0 ")


if __name__ == "__main__":
    unittest.main()
