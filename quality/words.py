"""Texts as lists of words that can be compared, and how far two of them are apart.

The same treatment goes over what was said and what was recognised, so it may be rough: a rule that maps two spellings of
one word to the same letters is right even where those letters are no word.
"""

import re
import unicodedata
from collections import Counter

import numpy as np

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
TENS = {20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety"}
IRREGULAR_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}
#: Other ways to write a word. Whole words, after punctuation is gone.
SAME = {
    "mr": "mister", "mrs": "missus", "ms": "miss", "dr": "doctor", "st": "saint", "ok": "okay", "etc": "et cetera",
    "gray": "grey", "metre": "meter", "metres": "meters", "centre": "center", "theatre": "theater", "oh": "zero",
    "em": "them", "alright": "all right", "cannot": "can not", "gonna": "going to", "wanna": "want to", "til": "until",
    "o'clock": "oclock", "programme": "program", "cheque": "check", "tyre": "tire", "tv": "television",
}
#: Endings of short forms; "'s" is left alone, since it may be a possessive.
SHORT = [("won't", "will not"), ("can't", "can not"), ("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am")]


def cardinal(number: int) -> str:
    """An English number in words, below a million; larger ones stay digits."""
    if number < 20:
        return UNITS[number]
    if number < 100:
        tens, rest = TENS[number // 10 * 10], number % 10
        return f"{tens} {UNITS[rest]}" if rest else tens
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if size <= number < size * 1000 and not (name == "hundred" and number >= 1000):
            head, rest = divmod(number, size)
            return f"{cardinal(head)} {name}" + (f" {cardinal(rest)}" if rest else "")
    return str(number)


def ordinal(number: int) -> str:
    *before, last = cardinal(number).split()
    if last in IRREGULAR_ORDINALS:
        last = IRREGULAR_ORDINALS[last]
    else:
        last = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return " ".join([*before, last])


def read_aloud(digits: str) -> str:
    """Digits as they are likely to be said: years in two halves, codes digit by digit."""
    number = int(digits)
    if len(digits) > 6 or (len(digits) > 1 and digits[0] == "0") or len(digits) == 5:
        return " ".join(UNITS[int(digit)] for digit in digits)
    if len(digits) == 4 and 1100 <= number < 2100 and number % 100 >= 10 and number // 100 != 20:
        return f"{cardinal(number // 100)} {cardinal(number % 100)}"
    return cardinal(number)


def english(text: str) -> str:
    text = re.sub(r"(\d)\s*%", r"\1 percent", text)
    text = re.sub(r"\$\s*([\d.,]*\d)", r"\1 dollars", text)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    text = re.sub(r"\b(\d{1,2}):00\b", r"\1 o'clock", text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", r"\1 \2", text)
    text = re.sub(r"(\d)\.(\d)", r"\1 point \2", text)
    text = re.sub(r"\b(\d{1,6})(?:st|nd|rd|th)\b", lambda found: ordinal(int(found[1])), text)
    text = re.sub(r"\d+", lambda found: f" {read_aloud(found[0])} ", text)
    for short, long in SHORT:
        text = re.sub(rf"{short}\b", long, text)
    return text


def british(word: str) -> str:
    """One spelling for colour and color, realise and realize."""
    if len(word) >= 6:
        word = re.sub(r"our(s|ed|ing|able|ite|ites)?$", r"or\1", word)
        word = re.sub(r"is(e|es|ed|ing|ation|ations)$", r"iz\1", word)
    return word


def words(text: str, language: str = "en") -> list[str]:
    """What can be compared: small letters, no punctuation, numbers in words (English), one spelling."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'").replace("ё", "е")
    # What a recogniser says of a sound rather than of words.
    text = re.sub(r"\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫]+", " ", text)
    if language == "en":
        text = english(text)
    text = "".join(c if c.isalnum() or c == "'" or unicodedata.combining(c) else " " for c in text)
    plain = [word.strip("'") for word in text.split()]
    if language == "en":
        plain = [british(part) for word in plain for part in SAME.get(word, word).split()]
    return [word for word in plain if word]


def joined(one: list[str], other: list[str]) -> list[str]:
    """`one` with neighbours written together where `other` writes them so: "good bye" and "goodbye" are no error."""
    whole, out, at = set(other), [], 0
    while at < len(one):
        pair = "".join(one[at : at + 2])
        if at + 1 < len(one) and pair in whole and not (one[at] in whole and one[at + 1] in whole):
            out.append(pair)
            at += 2
        else:
            out.append(one[at])
            at += 1
    return out


def comparable(truth: str, heard: str, language: str = "en") -> tuple[list[str], list[str]]:
    """Both texts as words, ready for `errors`."""
    said, got = words(truth, language), words(heard, language)
    return joined(said, got), joined(got, said)


def distances(truth: list[str], heard: list[str]) -> np.ndarray:
    """The table of edit distances between all beginnings of the two."""
    known: dict[str, int] = {}
    numbers = [np.array([known.setdefault(word, len(known)) for word in side], dtype=np.int32) for side in (truth, heard)]
    places = np.arange(len(heard) + 1, dtype=np.int32)
    table = np.empty((len(truth) + 1, len(heard) + 1), dtype=np.int32)
    table[0] = places
    for row, word in enumerate(numbers[0], 1):
        before = table[row - 1]
        best = np.empty_like(before)
        best[0] = row
        best[1:] = np.minimum(before[1:] + 1, before[:-1] + (numbers[1] != word))
        # A word too many costs one more than the best place before it.
        table[row] = np.minimum.accumulate(best - places) + places
    return table


def errors(truth: list[str], heard: list[str]) -> int:
    """Words that are wrong, missing or too many."""
    return int(distances(truth, heard)[-1, -1])


def aligned(truth: list[str], heard: list[str]) -> list[tuple[int | None, int | None]]:
    """Which word of the one belongs to which of the other, in order; `None`: to none."""
    table = distances(truth, heard)
    row, column, pairs = len(truth), len(heard), []
    while row or column:
        here = table[row, column]
        if row and column and here == table[row - 1, column - 1] + (truth[row - 1] != heard[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((row, column))
        elif row and here == table[row - 1, column] + 1:
            row -= 1
            pairs.append((row, None))
        else:
            column -= 1
            pairs.append((None, column))
    return pairs[::-1]


def runs(text: list[str], longest: int = 40) -> set[tuple[str, ...]]:
    """Everything that is said twice in a row, up to so many words."""
    found = set()
    for length in range(1, min(longest, len(text) // 2) + 1):
        for at in range(len(text) - 2 * length + 1):
            piece = tuple(text[at : at + length])
            if piece == tuple(text[at + length : at + 2 * length]):
                found.add(piece)
    return found


def doubled(truth: list[str], heard: list[str]) -> bool:
    """Whether the recogniser said something twice, or ran on: more than a wrong word here and there."""
    if runs(heard) - runs(truth):
        return True
    triples = [Counter(zip(side, side[1:], side[2:], strict=False)) for side in (truth, heard)]
    if any(count > max(1, triples[0][triple]) for triple, count in triples[1].items()):
        return True
    return len(heard) > 1.6 * len(truth) and len(heard) >= len(truth) + 3
