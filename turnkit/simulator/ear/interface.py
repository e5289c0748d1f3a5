"""What an ear is: sound in; words with times and the probability of speech out. Anybody's recogniser can be one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from ..script import SpokenWord

UNKNOWN_WORD = "bla"
"""What stands for a word that was heard and not understood: one for each stretch of speech as long as a syllable."""


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
    """One connection's sound, as an ear hears it; the same sound is heard the same way, however it is cut."""

    def hear(self, pcm: bytes) -> Heard:
        """Take more sound, any amount of 16-bit little-endian mono at the ear's rate, and say what is made of it."""


@runtime_checkable
class Ear(Protocol):
    """What hears: loaded once, with a stream for each connection.

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

    Times are seconds since the last `begin`.
    """

    def begin(self) -> None:
        """A stretch of speech begins."""

    def hear(self, pcm: bytes) -> tuple[SpokenWord, ...]:
        """Take more of it, 16-bit little-endian mono at the ear's rate; all its words, as understood by now."""

    def end(self) -> tuple[SpokenWord, ...]:
        """It is over: its words, for good."""
