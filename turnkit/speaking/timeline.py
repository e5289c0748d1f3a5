"""The timeline of a reply: how much of it was heard, word by word, from what was queued and what was played.

A reply is text in pieces, each with a stretch of audio; the pieces are played one after another, without a gap that the
player's clock would count. Within a piece the time of a word is the one the TTS gave it; a word that the TTS reads in
another way than it is written ("40" as "forty") is over with the last of what stands for it, and what cannot be told
apart is heard with the next word that can. In a piece without times, words take time in proportion to their characters.
A word has been heard once it was played to its end: of one cut short
nobody can say that it was understood, and an LLM that believes it has said what nobody heard does more harm than one
that says a word twice.

Nothing here reads a clock: the caller says how much has been played.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import pairwise
from math import inf

from ..checks import LATEST, is_number, shown
from ..errors import ConfigError, LocalProtocolError
from .alignment import WORD, Alignment, SpokenEnds, WordTiming

_ROUNDING = 1e-6  # seconds: what adding up the lengths of pieces of audio may be off by
_SPOKEN = re.compile(r"\w")


class Timeline:
    """The text of one reply against the time its audio takes.

    Only the last piece can still grow; adding the next one closes it.

    Args:
        rate: characters a second, assumed of a piece until the length of its audio is known. Default 15: people read
            English aloud at about that.

    Raises:
        ConfigError: for a rate that is not positive and finite.
    """

    def __init__(self, *, rate: float = 15.0) -> None:
        if not (is_number(rate) and rate > 0):
            raise ConfigError(f"rate={shown(rate)}: must be a positive number of characters per second")
        self._rate = rate
        self._text = ""
        self._pieces: list[_Piece] = []
        self._text_ends: list[int] = []
        self._breaks: list[int] = []  # where no word goes on
        self._word_ends: list[int] | None = []

    @property
    def text(self) -> str:
        """All that has been added."""
        return self._text

    @property
    def duration(self) -> float:
        """Seconds that all of it takes, as far as is known."""
        return self._pieces[-1].end if self._pieces else 0.0

    @property
    def estimated(self) -> bool:
        """Whether the time of any word is reckoned, and not one that the TTS gave."""
        return any(
            _SPOKEN.search(self._text, start, end) and not self._piece_at(end).is_timed(end)
            for start, end in self._spans()
        )

    def add(
        self,
        text: str,
        seconds: float | None = None,
        words: Iterable[WordTiming] | None = None,
        *,
        spoken: str | None = None,
    ) -> None:
        """Append a piece of the reply; a word may begin in one piece and end in the next.

        Args:
            text: of the piece; empty for audio without words.
            seconds: the length of its audio. Default None: not known; the piece may then `extend` and should `settle`,
                unless `words` are given: it then lasts until the last of them ends.
            words: timings from the beginning of the piece, in order; the TTS may name what it makes of the text, such
                as "forty" for "40". Default None.
            spoken: what the TTS was given for the text, if that is another. Default None: the text itself.

        Raises:
            LocalProtocolError: for lengths and timings that cannot be; nothing was added.
        """
        timings = _checked_timings("add", words or ())
        if seconds is not None:
            _check_seconds("add", seconds)
        if self._pieces:
            self._pieces[-1].close()
        piece = _Piece(text, spoken, len(self._text), self.duration, self._rate)
        piece.add_timings(timings)
        if seconds is not None or words is not None:
            piece.close(
                max((end for word, _, end in timings if _SPOKEN.search(word)), default=0.0)
                if seconds is None
                else seconds
            )
        self._text += text
        self._pieces.append(piece)
        self._text_ends.append(len(self._text))
        self._word_ends = None

    def extend(self, seconds: float, words: Iterable[WordTiming] = ()) -> None:
        """Add audio to the last piece.

        Until `settle` the last word counts as unheard, whatever has been played, unless its time is given.

        Args:
            seconds: how much audio.
            words: timings from the piece's beginning. Default none.

        Raises:
            LocalProtocolError: if there is no piece whose length is open, or for times that cannot be; nothing was
                changed.
        """
        piece = self._open_piece("extend")
        _check_seconds("extend", seconds)
        piece.add_timings(_checked_timings("extend", words))
        piece.grown = (piece.grown or 0.0) + seconds

    def settle(self, seconds: float | None = None) -> None:
        """Close the last piece.

        Args:
            seconds: how long it is. Default None: as long as it has grown.

        Raises:
            LocalProtocolError: if there is no piece whose length is open, or for a length that cannot be; nothing was
                changed.
        """
        piece = self._open_piece("settle")
        if seconds is not None:
            _check_seconds("settle", seconds)
        piece.close(piece.grown or 0.0 if seconds is None else seconds)

    def drop(self) -> None:
        """Close the last piece, of which no sound came: it takes no time, and is never heard.

        Raises:
            LocalProtocolError: if there is no piece whose length is open; nothing was changed.
        """
        piece = self._open_piece("drop")
        piece.close(0.0)
        piece.silent = True

    def end_word(self) -> None:
        """End the word that is being said, whatever letter comes next: there is a pause, or it is another sentence."""
        self._breaks.append(len(self._text))
        self._word_ends = None

    def heard(self, played: float) -> str:
        """The text up to the end of the last word that has been played, exactly as it was said.

        It only grows with `played` and never ends within a word. Of pieces without a sound, see `drop`, it has nothing.

        Args:
            played: seconds; `inf` has heard all.

        Returns:
            The text.

        Raises:
            LocalProtocolError: for a negative number or NaN.
        """
        _check_seconds("heard", played, finite=False)
        if played == inf or (played >= self.duration - _ROUNDING and not (self._pieces and self._pieces[-1].growing)):
            return self._sounded(len(self._text))
        count = bisect_right(self._ends(), played + _ROUNDING, key=self._time_at)
        return self._sounded(self._ends()[count - 1]) if count else ""

    def next_end(self, played: float) -> float:
        """When the next word will have been heard.

        Args:
            played: seconds played so far.

        Returns:
            Seconds played by then; `inf` if no word is left, or nobody knows when.

        Raises:
            LocalProtocolError: for a negative number or NaN.
        """
        _check_seconds("next_end", played, finite=False)
        ends = self._ends()
        count = bisect_right(ends, played + _ROUNDING, key=self._time_at)
        return self._time_at(ends[count]) if count < len(ends) else inf

    def _sounded(self, end: int) -> str:
        """The text up to there, without the pieces of which no sound came."""
        spans = zip([0, *self._text_ends], self._text_ends, self._pieces, strict=False)
        return "".join(self._text[begin : min(stop, end)] for begin, stop, piece in spans if not piece.silent)

    def _open_piece(self, call: str) -> _Piece:
        if not self._pieces or self._pieces[-1].length is not None:
            raise LocalProtocolError(f"{call}(): the last piece must be one whose length is open; there is none")
        return self._pieces[-1]

    def _spans(self) -> list[tuple[int, int]]:
        parts = pairwise([0, *self._breaks, len(self._text)])
        return [match.span() for begin, end in parts for match in WORD.finditer(self._text, begin, end)]

    def _ends(self) -> list[int]:
        if self._word_ends is None:
            self._word_ends = [end for _, end in self._spans()]
        return self._word_ends

    def _piece_at(self, offset: int) -> _Piece:
        """The piece in which the character before `offset` stands."""
        return self._pieces[bisect_left(self._text_ends, offset)]

    def _time_at(self, offset: int) -> float:
        return self._piece_at(offset).time_at(offset)


class _Piece:
    """A stretch of text, from `start` in the whole, and of audio, from `began`; times inside are from its beginning."""

    __slots__ = ("_alignment", "_ends", "_rate", "began", "grown", "length", "silent", "spoken", "start")

    def __init__(self, text: str, spoken: str | None, start: int, began: float, rate: float) -> None:
        self.spoken = text if spoken is None else spoken  # what the voice was given for it
        self.start = start
        self.began = began
        self.grown: float | None = None  # what has come of its audio, None if nothing is said about it
        self.length: float | None = None  # how long it is, once that is known
        self.silent = False
        self._alignment = Alignment(self.spoken)
        self._ends = None if self.spoken == text else SpokenEnds(text, self.spoken)
        self._rate = rate

    @property
    def growing(self) -> bool:
        """Whether there is audio of it and more may come."""
        return self.length is None and self.grown is not None

    @property
    def seconds(self) -> float:
        """Its length, as far as is known."""
        if self.length is not None:
            return self.length
        return max(len(self.spoken.strip()) / self._rate, self.grown or 0.0, self._alignment.last)

    @property
    def end(self) -> float:
        return self.began + self.seconds

    def close(self, length: float | None = None) -> None:
        """Fix its length, by what is known if it is not given: nothing more will be known about it."""
        if self.length is None:
            if length is None:
                length = self.seconds if self.grown is None else max(self.grown, self._alignment.last)
            self.length = length
            self._alignment.close()

    def add_timings(self, timings: Iterable[WordTiming]) -> None:
        """Take the timings of words, in the order of the text."""
        self._alignment.add(timings)

    def is_timed(self, offset: int) -> bool:
        return self._alignment.end_of(self._inside(offset)) is not None

    def time_at(self, offset: int) -> float:
        """Seconds of the whole reply at which what stands before `offset` has been played."""
        inside = self._inside(offset)
        if self._alignment.has_times:
            over = self._alignment.end_of(inside)
            if over is None:
                over = self.seconds if self.length is not None else inf
            return self.began + min(over, self.seconds) if over < inf else inf
        begin, last = len(self.spoken) - len(self.spoken.lstrip()), len(self.spoken.rstrip())
        if inside >= last and self.growing:
            return inf  # more of its audio may come
        share = (inside - begin) / (last - begin) if last > begin else 1.0
        return self.began + min(max(share, 0.0), 1.0) * self.seconds

    def _inside(self, offset: int) -> int:
        """The offset in what the voice was given."""
        inside = offset - self.start
        return inside if self._ends is None else self._ends.at(inside)


def _check_seconds(call: str, seconds: float, *, finite: bool = True) -> None:
    if not (seconds >= 0 and (is_number(seconds) or (seconds == inf and not finite))):
        rule = "a number of seconds, 0 or more" + (", and finite" if finite else "")
        raise LocalProtocolError(f"{call}(): seconds are {shown(seconds)}; must be {rule}")


def _checked_timings(call: str, words: Iterable[WordTiming]) -> list[WordTiming]:
    """The timings, checked; a message names a word by its number, because the word is what somebody says."""
    timings = list(words)
    for number, (_, start, end) in enumerate(timings):
        if not 0 <= start <= end <= LATEST:
            raise LocalProtocolError(
                f"{call}(): word {number} is timed {shown(start)} to {shown(end)} s; must be 0 <= start <= end, finite"
            )
    return timings
