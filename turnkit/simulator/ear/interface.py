"""What an ear is: sound in; words with times and the probability of speech out. Anybody's recogniser can be one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from ..script import SpokenWord

UNKNOWN_WORD = "bla"
"""What stands for a word that was heard and not understood: one for each stretch of speech as long as a syllable."""


_SYLLABLE = 0.2  # seconds; spoken English has four or five a second
_SMALLEST_REST = 0.1  # of the last stretch: less is its neighbour's end


def syllables(start: float, end: float) -> tuple[SpokenWord, ...]:
    """Speech from one second to another as unknown words, about one a syllable; none if it is empty."""
    words = []
    while end - start >= _SYLLABLE + _SMALLEST_REST:
        words.append(SpokenWord(UNKNOWN_WORD, start, start + _SYLLABLE))
        start += _SYLLABLE
    return (*words, SpokenWord(UNKNOWN_WORD, start, end)) if end > start else ()


class Heard(msgspec.Struct, frozen=True):
    """What an ear made of some more sound.

    Attributes:
        speech: how probable it is that somebody speaks, 0 to 1: one for each step of sound since the last time, none
            left out.
        final: words that stay as they are, in order, each given once. Default none. A word with `.`, `?` or `!` at its
            end sounds finished, one with `,`, `…` or `-` unfinished; of any other, nobody knows.
        partial: the words after those, as they are understood by now; they replace the partial words given before.
            Default none.
    """

    speech: tuple[float, ...] = ()
    final: tuple[SpokenWord, ...] = ()
    partial: tuple[SpokenWord, ...] = ()


class EarStream(Protocol):
    """One connection's sound, as an ear hears it; the same sound is heard the same way, however it is cut.

    If it has a method `close`, that is called when the connection is over, be it in mid-word.
    """

    def hear(self, pcm: bytes) -> Heard:
        """Take more sound, any amount of 16-bit little-endian mono at the ear's rate, and say what is made of it."""


@runtime_checkable
class Ear(Protocol):
    """What hears: loaded once, with a stream for each connection.

    An ear may say how many connections it can hear `at_once`, an int; a simulator refuses more of them (HTTP 429).

    Attributes:
        rate: of the sound it takes, in samples a second.
        step: seconds of sound for each probability of speech.
        start: seconds from the first sound of a turn to its StartOfTurn, at the least; Flux takes 0.56.
    """

    rate: int
    step: float
    start: float

    def open_stream(self) -> EarStream:
        """Begin to hear a connection, whose sound begins at second 0."""


class Recogniser(Protocol):
    """The words of one connection's speech, for an ear that finds out by itself where speech is.

    Times are seconds since the last `begin`. If it has a method `close`, that is called when the connection is over,
    be it between `begin` and `end`.
    """

    def begin(self) -> None:
        """A stretch of speech begins."""

    def hear(self, pcm: bytes) -> tuple[SpokenWord, ...]:
        """Take more of it, 16-bit little-endian mono at the ear's rate; all its words, as understood by now."""

    def end(self) -> tuple[SpokenWord, ...]:
        """It is over: its words, for good."""


@runtime_checkable
class Closable(Protocol):
    """What has something to give back once its connection is over."""

    def close(self) -> None:
        """Give it back; nothing is asked of it after that."""
