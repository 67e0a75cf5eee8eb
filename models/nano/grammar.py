"""The sentences the nano model is taught, read from grammar.txt.

A sentence is a pair (words, question): `words` is a list of lower-case words
(proper names keep their capital) and `question` says whether it ends in "?".
`as_text` turns it into the text the model must write: "What time is it?".
"""
import re
from pathlib import Path

HERE = Path(__file__).parent
WRITTEN = {"i": "I", "i'm": "I'm"}
# Words that sound like a commoner word of the vocabulary: only context can
# tell them apart, so they never appear in random word strings.
HOMOPHONES = {"to", "too", "know", "by", "for"}


class Grammar:
    """Slots and weighted topics of patterns; see the head of grammar.txt."""

    def __init__(self, path=HERE / "grammar.txt"):
        self.slots, self.topics = {}, []
        for line in Path(path).read_text().splitlines():
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            topic = re.match(r"\[(\d+) (.*)\]$", line)
            slot = re.match(r"(\w+) = (.*)$", line)
            if topic:
                self.topics.append((int(topic[1]), topic[2], []))
            elif slot:
                self.slots[slot[1]] = self._split(slot[2])
            else:
                self.topics[-1][2].append(line)
        self.words = self._vocabulary()
        self.plain = [w for w in self.words if w not in HOMOPHONES]

    @staticmethod
    def _split(text):
        """Split at "|" outside of parentheses."""
        parts, depth, current = [], 0, ""
        for char in text:
            depth += (char == "(") - (char == ")")
            if char == "|" and depth == 0:
                parts.append(current.strip())
                current = ""
            else:
                current += char
        return parts + [current.strip()]

    def _vocabulary(self):
        lines = [p for _, _, patterns in self.topics for p in patterns]
        lines += [entry for entries in self.slots.values() for entry in entries]
        text = " ".join(lines).replace("{unit}s", "seconds minutes hours")
        return sorted(set(re.sub(r"\{\w+\}|[()|?]", " ", text).split()))

    def expand(self, pattern, rng):
        """Draw one sentence of a pattern (text without slots or brackets)."""
        def group(match):
            return rng.choice(match[1].split("|"))

        def slot(match):
            return rng.choice(self.slots[match[1]])

        while "(" in pattern or "{" in pattern:
            pattern = re.sub(r"\(([^()]*)\)", group, pattern)
            pattern = re.sub(r"\{(\w+)\}", slot, pattern)
        return " ".join(pattern.split())

    def sentence(self, rng):
        """One sentence of the patterns: (words, question)."""
        weights = [weight for weight, _, _ in self.topics]
        patterns = rng.choices(self.topics, weights)[0][2]
        text = self.expand(rng.choice(patterns), rng)
        question = text.endswith("?")
        return text.rstrip("?").split(), question

    def random_words(self, rng, longest=6):
        """A string of unrelated words: teaches hearing instead of guessing."""
        count = rng.choices(range(1, longest + 1), [4, 3, 3, 2, 2, 1][:longest])[0]
        return [rng.choice(self.plain) for _ in range(count)], False

    def contrast(self, rng):
        """Number words that differ only in -teen or -ty, in short frames."""
        stem = rng.choice(["thir", "four", "fif", "six", "seven", "eigh", "nine"])
        pair = [stem + "teen", "for" + "ty" if stem == "four" else stem + "ty"]
        rng.shuffle(pair)
        unit = rng.choice(["seconds", "minutes", "hours", "percent", "o'clock", ""])
        frame = rng.choice(["{0}", "{0} {u}", "{0} {1}", "number {0}", "{0} plus {1}",
                            "a timer for {0} {u}", "not {0} {1}", "it is {0} {u}"])
        return frame.format(*pair, u=unit).split(), False

    def draw(self, rng):
        """One training sentence: 60 % patterns, 30 % random words, 5 % -teen/-ty
        contrasts, 5 % single words."""
        kind = rng.random()
        if kind < 0.60:
            return self.sentence(rng)
        if kind < 0.90:
            return self.random_words(rng)
        if kind < 0.95:
            return self.contrast(rng)
        return [rng.choice(self.plain)], False


def as_text(words, question=False, stop=True):
    """The written form: first letter and "I" capital, "." or "?" at the end
    unless `stop` is false (a sentence that was cut off)."""
    text = " ".join(WRITTEN.get(word, word) for word in words)
    return text[:1].upper() + text[1:] + (("?" if question else ".") if stop else "")


def main():
    """Write vocabulary.txt."""
    words = [WRITTEN.get(word, word) for word in Grammar().words]
    (HERE / "vocabulary.txt").write_text("\n".join(words) + "\n")
    print(len(words), "words")


if __name__ == "__main__":
    main()
