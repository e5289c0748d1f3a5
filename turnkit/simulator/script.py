"""Scripts: what somebody says to the simulator, and when, as words with times.

The text form is one utterance a line, `#` starts a comment:

    1.0    I'd like a table (0.7) for two, please.     # second 1.0; then a pause of 0.7 s
    +2.5   Under the name of Smith.                    # 2.5 s after the end of the last utterance
    +1 [read] We the people of the United States.      # read aloud: turn ends come late
    +1 [task] My order (0.6) number is 4711.           # on an errand: turn ends come soon

Words follow each other at about three a second, longer ones taking longer. Punctuation is how the words sound: `.`,
`?` and `!` finished, anything else unfinished. No socket and no clock here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import msgspec

from ..checks import is_number, shown, shown_path
from ..errors import ConfigError
from .text_file import text_of

Pace: TypeAlias = Literal["talk", "read", "task"]
"""How something is said: in conversation, read aloud, or on an errand, as one speaks to an agent on the phone.

It decides how soon its end is believed."""

_PACES: tuple[Pace, ...] = get_args(Pace)

_LINE = re.compile(r"(?P<start>\+?\d+(?:\.\d+)?)\s+(?:\[(?P<pace>\w+)\]\s*)?(?P<words>\S.*)", re.ASCII)
_PAUSE = re.compile(r"\((\d+(?:\.\d+)?)\)", re.ASCII)

# A word of average length then takes a third of a second.
_WORD_SECONDS = 0.13
_LETTER_SECONDS = 0.045


class SpokenWord(msgspec.Struct, frozen=True, gc=False):
    """A word as it sounds.

    Attributes:
        text: the word, punctuated.
        start: the second of stream audio where it begins.
        end: the second of stream audio where it ends.
    """

    text: str
    start: float
    end: float

    def __post_init__(self) -> None:
        if not any(character.isalnum() for character in self.text) or len(self.text.split()) != 1:
            raise ConfigError(f"word {self.text!r}: must be one word with a letter or digit in it")
        if not (is_number(self.start) and is_number(self.end) and 0 <= self.start < self.end):
            raise ConfigError(
                f"word {self.text!r} from {shown(self.start)} to {shown(self.end)}: must end after it starts"
            )


class Utterance(msgspec.Struct, frozen=True):
    """Words said in one go. Raises ConfigError if they are out of order.

    Attributes:
        words: at least one, each with its times; there may be pauses between them.
        pace: how they are said. Default "talk".
    """

    words: tuple[SpokenWord, ...]
    pace: Pace = "talk"

    def __post_init__(self) -> None:
        if not self.words:
            raise ConfigError("utterance: must have at least one word")
        if self.pace not in _PACES:
            raise ConfigError(f"pace={self.pace!r}: must be one of {', '.join(_PACES)}")
        _check_order(self.words)

    @property
    def start(self) -> float:
        """The second of stream audio where its first word begins."""
        return self.words[0].start

    @property
    def end(self) -> float:
        """The second of stream audio where its last word ends."""
        return self.words[-1].end

    @property
    def transcript(self) -> str:
        """Its words, joined."""
        return " ".join(word.text for word in self.words)


class Script(msgspec.Struct, frozen=True):
    """A conversation for the simulator to hear.

    Attributes:
        utterances: in order of time.
        seed: of everything random about how they are heard; the same script and seed are heard the same way,
            whatever the thresholds. Default 0.
        language: that is detected by the multilingual model. Default "en".

    Raises:
        ConfigError: if utterances overlap.
    """

    utterances: tuple[Utterance, ...]
    seed: int = 0
    language: str = "en"

    def __post_init__(self) -> None:
        _check_order([word for utterance in self.utterances for word in utterance.words])

    @property
    def end(self) -> float:
        """The second of stream audio where the last word ends; 0 if nothing is said."""
        return self.utterances[-1].end if self.utterances else 0.0

    @classmethod
    def parse(cls, text: str, *, seed: int = 0, source: str = "script") -> Script:
        """Read the text form. Raises ConfigError with the number of a bad line.

        Args:
            text: a line for each utterance: its second, and its words.
            seed: of everything random about how they are heard.
            source: how errors call it.
        """
        utterances: list[Utterance] = []
        for number, line in enumerate(text.splitlines(), start=1):
            said = line.partition("#")[0].strip()
            if not said:
                continue
            try:
                utterances.append(_utterance(said, utterances[-1].end if utterances else 0.0))
            except ConfigError as error:
                raise ConfigError(f"{source}, line {number}: {error}") from None
        if not utterances:
            raise ConfigError(f"{source}: nothing is said in it; a line is a second and words, such as: 1.0 Hello.")
        return cls(tuple(utterances), seed=seed)

    @classmethod
    def read(cls, path: str | Path, *, seed: int = 0) -> Script:
        """Read the text form from a file. Raises ConfigError if there is none, or naming the bad line.

        Args:
            path: the file.
            seed: of everything random about how they are heard.
        """
        return cls.parse(text_of("script", path), seed=seed, source=shown_path(path))


def say(text: str, *, at: float, pace: Pace = "talk") -> Utterance:
    """An utterance: words at a natural rate, pauses as seconds in parentheses.

    Args:
        text: the words and pauses.
        at: the second of stream audio where it begins.
        pace: how it is said. Default "talk".

    Returns:
        The utterance.

    Raises:
        ConfigError: for a pause before the first word, after the last or next to another, and for text without words.
    """
    words: list[SpokenWord] = []
    now = at
    paused = False
    for token in _tokens(text):
        if isinstance(token, float):
            if not words or paused:
                raise ConfigError(f"pause ({token:g}): must stand between two words")
            now += token
            paused = True
            continue
        letters = sum(character.isalnum() for character in token)
        end = now + _WORD_SECONDS + _LETTER_SECONDS * letters
        words.append(SpokenWord(token, round(now, 4), round(end, 4)))
        now = end
        paused = False
    if paused:
        raise ConfigError("pause: must stand between two words, not after the last")
    return Utterance(tuple(words), pace)


def _tokens(text: str) -> Iterable[str | float]:
    for token in text.split():
        if not token.startswith("("):
            yield token
        elif (match := _PAUSE.fullmatch(token)) is None:
            raise ConfigError(f"pause {token!r}: must be seconds in parentheses, such as (0.7)")
        else:
            yield float(match[1])


def _utterance(said: str, last_end: float) -> Utterance:
    match = _LINE.fullmatch(said)
    if match is None:
        raise ConfigError("must be a second and words, such as: 1.0 I'd like a table (0.7) for two, please.")
    start = float(match["start"]) + (last_end if match["start"].startswith("+") else 0.0)
    if start < last_end:
        raise ConfigError(f"starts at {start:g} s, before the last utterance has ended at {last_end:g} s")
    named = match["pace"] or "talk"
    pace: Pace | None = next((pace for pace in _PACES if pace == named), None)
    if pace is None:
        raise ConfigError(f"pace [{named}]: must be one of {', '.join(_PACES)}")
    return say(match["words"], at=start, pace=pace)


def _check_order(words: Iterable[SpokenWord]) -> None:
    last: SpokenWord | None = None
    for word in words:
        if last is not None and word.start < last.end:
            raise ConfigError(f"word {word.text!r} at {word.start:g} s: begins before {last.text!r} has ended")
        last = word
