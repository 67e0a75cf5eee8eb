"""What came of one recording at one door, and of all of them together."""

from dataclasses import dataclass, field

import numpy as np

from . import words


@dataclass
class Outcome:
    name: str
    language: str
    truth: str
    seconds: float
    heard: str = ""
    wall: float | None = None
    """Seconds from the request to its answer; for live doors there is none, they take as long as the speaker."""
    cpu: float | None = None
    """Processor seconds, where they are counted for each recording by itself."""
    text_after: float | None = None
    """Seconds from the true end of the voice to the complete text."""
    partials: int = 0
    changed: int = 0
    """Times that text which had been called final was another later."""
    turns: int = 0
    late: float = 0.0
    """By how much the sender itself was late at worst: above 0.1 s the times are those of a busy machine."""
    trouble: str = ""
    events: list[dict] = field(default_factory=list)

    @property
    def pair(self) -> tuple[list[str], list[str]]:
        return words.comparable(self.truth, self.heard, self.language)

    @property
    def errors(self) -> int:
        return words.errors(*self.pair)

    @property
    def empty(self) -> bool:
        said, got = self.pair
        return bool(said) and not got

    @property
    def doubled(self) -> bool:
        said, got = self.pair
        return bool(said) and words.doubled(said, got)


def percentile(values: list[float], share: float) -> float | None:
    return float(np.percentile(values, share)) if values else None


@dataclass
class Door:
    """All outcomes of one way in."""

    name: str
    outcomes: list[Outcome]
    live: bool = False
    cpu: float | None = None
    """Processor seconds of the whole run."""
    decodes: dict[str, float] = field(default_factory=dict)
    """By how much the recogniser's counters grew."""
    phantoms: int | None = None
    """Words recognised where nobody spoke."""
    noise_seconds: float = 0.0
    wall: float = 0.0
    note: str = ""

    @property
    def spoken(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if not outcome.trouble]

    @property
    def truth_words(self) -> int:
        return sum(len(outcome.pair[0]) for outcome in self.outcomes)

    @property
    def errors(self) -> int:
        return sum(outcome.errors for outcome in self.outcomes)

    @property
    def wer(self) -> float:
        return 100 * self.errors / max(1, self.truth_words)

    @property
    def text_after(self) -> list[float]:
        return [outcome.text_after for outcome in self.spoken if outcome.text_after is not None]

    @property
    def compute(self) -> float | None:
        """Seconds of decoding an utterance."""
        work = [value for name, value in self.decodes.items() if name.endswith("_s") and name != "audio_s"]
        return sum(work) / max(1, len(self.outcomes)) if work else None

    @property
    def cpu_each(self) -> float | None:
        own = [outcome.cpu for outcome in self.outcomes if outcome.cpu is not None]
        if own:
            return sum(own) / len(own)
        return None if self.cpu is None else self.cpu / max(1, len(self.outcomes))
