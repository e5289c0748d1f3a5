"""The timeline of a reply: how much of it was heard, word by word, from what was queued and what was played.

A reply is text in pieces, each with a stretch of audio; the pieces are played one after another, without a gap that the
player's clock would count. Within a piece the time of a word is the one the TTS gave it; between two known times, words
take time in proportion to their characters. A word has been heard once it was played to its end: of one cut short
nobody can say that it was understood, and an LLM that believes it has said what nobody heard does more harm than one
that says a word twice.

Nothing here reads a clock: the caller says how much has been played.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from math import inf

from ..checks import LATEST, is_number, shown
from ..errors import ConfigError, LocalProtocolError
from ..turns.words import LETTER_AS_WORD

WordTiming = tuple[str, float, float]
"""A word as the TTS names it, its start and its end in seconds."""

_ROUNDING = 1e-6  # seconds: what adding up the lengths of pieces of audio may be off by
_SEARCHED_AHEAD = 40  # characters: how far on a word is looked for, if the TTS spells out what stands before it

_MARKS = re.compile(r"[^\w\s]*")
# A letter that counts as a word; its punctuation is none, but goes with the word that it follows.
_LETTER = rf"(?=\w){LETTER_AS_WORD}"
_WORD = re.compile(rf"{_LETTER}[^\w\s]*|(?:(?!{_LETTER})\S)+")
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

    def add(self, text: str, seconds: float | None = None, words: Iterable[WordTiming] | None = None) -> None:
        """Append a piece of the reply; a word may begin in one piece and end in the next.

        Args:
            text: of the piece; empty for audio without words.
            seconds: the length of its audio. Default None: not known; the piece may then `extend` and should `settle`,
                unless `words` are given: it then lasts until the last of them ends.
            words: timings from the beginning of the piece, in order; those that are not in the text (the TTS may spell
                out numbers) are passed over. Default None.

        Raises:
            LocalProtocolError: for lengths and timings that cannot be; nothing was added.
        """
        timings = _checked_timings("add", words or ())
        if seconds is not None:
            _check_seconds("add", seconds)
        if self._pieces:
            self._pieces[-1].close()
        piece = _Piece(text, len(self._text), self.duration, self._rate)
        piece.add_timings(timings)
        if seconds is not None or words is not None:
            piece.length = piece.last if seconds is None else seconds
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
        piece.length = seconds if seconds is not None else piece.grown or 0.0

    def heard(self, played: float) -> str:
        """The text up to the end of the last word that has been played, exactly as it was said.

        It only grows with `played` and never ends within a word.

        Args:
            played: seconds; `inf` has heard all.

        Returns:
            The text.

        Raises:
            LocalProtocolError: for a negative number or NaN.
        """
        _check_seconds("heard", played, finite=False)
        if played == inf or (played >= self.duration - _ROUNDING and not (self._pieces and self._pieces[-1].growing)):
            return self._text
        count = bisect_right(self._ends(), played + _ROUNDING, key=self._time_at)
        return self._text[: self._ends()[count - 1]] if count else ""

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

    def _open_piece(self, call: str) -> _Piece:
        if not self._pieces or self._pieces[-1].length is not None:
            raise LocalProtocolError(f"{call}(): the last piece must be one whose length is open; there is none")
        return self._pieces[-1]

    def _spans(self) -> list[tuple[int, int]]:
        return [match.span() for match in _WORD.finditer(self._text)]

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

    __slots__ = (
        "_cursor",
        "_known_offsets",
        "_known_times",
        "_rate",
        "_timed",
        "began",
        "grown",
        "length",
        "start",
        "text",
    )

    def __init__(self, text: str, start: int, began: float, rate: float) -> None:
        self.text = text
        self.start = start
        self.began = began
        self.grown: float | None = None  # what has come of its audio, None if nothing is said about it
        self.length: float | None = None  # how long it is, once that is known
        self._cursor = 0  # what stands before it has had its timing
        # Known points, both never falling: at this offset, that many seconds.
        self._known_offsets = [len(text) - len(text.lstrip())]
        self._known_times = [0.0]
        self._timed: set[int] = set()
        self._rate = rate

    @property
    def growing(self) -> bool:
        """Whether there is audio of it and more may come."""
        return self.length is None and self.grown is not None

    @property
    def last(self) -> float:
        """When the last word ends of those that have a timing."""
        return self._known_times[-1]

    @property
    def seconds(self) -> float:
        """Its length, as far as is known."""
        if self.length is not None:
            return self.length
        return max(len(self.text.strip()) / self._rate, self.grown or 0.0, self.last)

    @property
    def end(self) -> float:
        return self.began + self.seconds

    def close(self) -> None:
        """Fix its length: nothing more will be known about it."""
        if self.length is None:
            self.length = self.seconds if self.grown is None else max(self.grown, self.last)

    def is_timed(self, offset: int) -> bool:
        return offset - self.start in self._timed

    def add_timings(self, timings: Iterable[WordTiming]) -> None:
        """Take the timings of words, in the order of the text."""
        for word, start, end in timings:
            found = self._find(word)
            if found is None:
                continue
            first, after = found
            after = self._after_marks(after)
            self._known_offsets += (max(first, self._known_offsets[-1]), after)
            self._known_times.append(max(start, self._known_times[-1]))
            self._known_times.append(max(end, self._known_times[-1]))
            self._timed.add(after)
            self._cursor = after

    def _after_marks(self, offset: int) -> int:
        """Punctuation right after a word is not said: it is heard with it."""
        match = _MARKS.match(self.text, offset)
        return match.end() if match else offset

    def _find(self, word: str) -> tuple[int, int] | None:
        """Where the timed word stands, the next in the text or, as a whole word, not far on."""
        spoken = [match.start() for match in _SPOKEN.finditer(word)]
        if not spoken:
            return None
        letters = re.escape(word[spoken[0] : spoken[-1] + 1])
        here = re.compile(rf"[\W_]*?({letters})", re.IGNORECASE).match(self.text, self._cursor)
        if here is not None:
            return here.span(1)
        there = re.compile(rf"(?<!\w){letters}(?!\w)", re.IGNORECASE).search(self.text, self._cursor)
        return there.span() if there is not None and there.start() - self._cursor <= _SEARCHED_AHEAD else None

    def time_at(self, offset: int) -> float:
        """Seconds of the whole reply at which what stands before `offset` has been played."""
        inside = offset - self.start
        index = bisect_left(self._known_offsets, inside)
        if index < len(self._known_offsets) and self._known_offsets[index] == inside:
            return self.began + min(self._known_times[index], self.seconds)
        last = len(self.text.rstrip())
        if index < len(self._known_offsets):
            after, later = self._known_offsets[index], self._known_times[index]
        elif inside == last and self.growing:
            return inf  # more of its audio may come
        else:
            after, later = last, self.seconds
        before, earlier = self._known_offsets[index - 1], self._known_times[index - 1]
        share = (inside - before) / (after - before)
        return self.began + min(earlier + share * max(later - earlier, 0.0), self.seconds)


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
