"""What counts as the same words, and what as something said twice."""

import unittest

from quality.words import aligned, cardinal, comparable, doubled, errors, ordinal, read_aloud, words


def wrong(truth: str, heard: str, language: str = "en") -> int:
    return errors(*comparable(truth, heard, language))


class Words(unittest.TestCase):
    def test_numbers_are_words(self):
        for number, text in [(0, "zero"), (13, "thirteen"), (40, "forty"), (99, "ninety nine"), (100, "one hundred"), (310, "three hundred ten"),
                             (1000, "one thousand"), (12345, "twelve thousand three hundred forty five"), (999999, "nine hundred ninety nine thousand nine hundred ninety nine")]:  # fmt: skip
            self.assertEqual(cardinal(number), text)
        for number, text in [(1, "first"), (2, "second"), (12, "twelfth"), (20, "twentieth"), (21, "twenty first"), (100, "one hundredth")]:
            self.assertEqual(ordinal(number), text)
        for digits, text in [("1984", "nineteen eighty four"), ("2005", "two thousand five"), ("90210", "nine zero two one zero"), ("007", "zero zero seven"), ("10", "ten")]:
            self.assertEqual(read_aloud(digits), text)

    def test_how_a_thing_is_written_is_no_error(self):
        for truth, heard in [
            ("set a timer for three hours and ten minutes", "Set a timer for 3 hours and 10 minutes."),
            ("What's the date?", "what\u2019s the date"),
            ("the colour of my neighbours", "The color of my neighbors"),
            ("mister Quilter is the apostle", "Mr. Quilter is the apostle"),
            ("he realised it", "He realized it."),
            ("good bye", "Goodbye!"),
            ("nevermind", "Never mind."),
            ("twenty five percent", "25%"),
            ("five thousand people", "5,000 people"),
            ("I am not sure", "I'm not sure"),
            ("the twenty first of may", "the 21st of May"),
            ("a well known man", "a well-known man"),
            ("", "[Music] (applause)"),
        ]:
            self.assertEqual(wrong(truth, heard), 0, f"{truth!r} and {heard!r}: {comparable(truth, heard)}")

    def test_errors_are_counted(self):
        self.assertEqual(wrong("lock the front door", "lock a front door"), 1)
        self.assertEqual(wrong("lock the front door", "lock front door"), 1)
        self.assertEqual(wrong("lock the front door", "lock the the front door"), 1)
        self.assertEqual(wrong("lock the front door", ""), 4)
        self.assertEqual(wrong("", "thank you"), 2)
        self.assertEqual(wrong("für die besten aussichten", "Für die besten Aussichten.", "de"), 0)
        self.assertEqual(wrong("ёлка", "Елка", "ru"), 0)

    def test_distances_are_those_of_the_plain_algorithm(self):
        def plain(one, other):
            row = list(range(len(other) + 1))
            for i, a in enumerate(one, 1):
                above, row[0] = row[0], i
                for j, b in enumerate(other, 1):
                    above, row[j] = row[j], min(above + (a != b), row[j] + 1, row[j - 1] + 1)
            return row[-1]

        import random

        chance = random.Random(5)
        for _ in range(300):
            one, other = (chance.choices("abc", k=chance.randrange(9)) for _ in range(2))
            self.assertEqual(errors(one, other), plain(one, other), (one, other))
            pairs = aligned(one, other)
            self.assertEqual([a for a, _ in pairs if a is not None], list(range(len(one))))
            self.assertEqual([b for _, b in pairs if b is not None], list(range(len(other))))
            self.assertEqual(sum(a is None or b is None or one[a] != other[b] for a, b in pairs), plain(one, other))

    def test_what_is_said_twice_is_seen(self):
        for truth, heard in [
            ("next", "Next. Next."),
            ("cancel timer", "Cancel timer. Cancel the timer."),
            ("what's the weather", "What's the weather? What's the weather?"),
            ("turn on the light", "turn on the light in the kitchen and then turn it off"),
            ("one two three", "one two three one two three one two three"),
            ("he said that he would come", "He said that he would he said that he would come"),
        ]:
            self.assertTrue(doubled(words(truth), words(heard)), heard)
        for truth, heard in [
            ("next", "The next."),
            ("it was very very cold", "It was very very cold"),
            ("what's the weather", "What is the weather?"),
            ("lock the front door", ""),
            ("pause", "Pause it."),
            ("one two three one two three", "one two three one two three"),
        ]:
            self.assertFalse(doubled(words(truth), words(heard)), heard)


if __name__ == "__main__":
    unittest.main()
