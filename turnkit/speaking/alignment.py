"""The alignment of a text with what a voice makes of it: "Table 4 costs 40 euros" with "table four costs forty euros".

Words that are read as they are written are certain, and so are their times. What stands between them was read in some
other way (a number, a date, a sign, an abbreviation), and is over at the latest when the next certain word begins.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import NamedTuple

from ..turns.words import LETTER_AS_WORD

WordTiming = tuple[str, float, float]
"""A word as the TTS names it, its start and its end in seconds."""

_READ_AS = 3  # words as which one is read at most: what more is known to follow cannot be part of it
_IN_A_ROW = 3  # words that are looked for together, where each of them alone comes more than once
_SKIPPED = 40  # characters that a voice may pass over without a timing of its own

_MARKS = re.compile(r"[^\w\s]*")
# A letter that counts as a word; its punctuation is none, but goes with the word that it follows.
_LETTER = rf"(?=\w){LETTER_AS_WORD}"
WORD = re.compile(rf"{_LETTER}[^\w\s]*|(?:(?!{_LETTER})\S)+")
"""A word of a text, with its punctuation."""
_IS_LETTER = re.compile(_LETTER)


class Token(NamedTuple):
    """Letters or digits that belong together: of "well-known," there are two.

    Attributes:
        letters: as they are compared.
        start: its offset in the text.
        end: the offset behind it, and behind the punctuation that follows.
        word: the number of the word that it is of.
    """

    letters: str
    start: int
    end: int
    word: int


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order."""
    found: list[Token] = []
    for number, word in enumerate(WORD.finditer(text)):
        letters, start = "", word.start()
        for offset in range(word.start(), word.end() + 1):
            letter = _compared(text[offset]) if offset < word.end() else ""
            if letter:
                start = start if letters else offset
                letters += letter
            elif letters and not (offset < word.end() and unicodedata.category(text[offset]) == "Cf"):
                marks = _MARKS.match(text, offset)
                found.append(Token(letters, start, marks.end() if marks else offset, number))
                letters = ""
    return found


@cache
def _compared(character: str) -> str:
    """A letter, digit or mark as it is compared; empty for all else."""
    if character.isalnum() or unicodedata.category(character)[0] == "M":
        return unicodedata.normalize("NFKC", character).casefold()
    return ""


def _is_single(letters: str) -> bool:
    """Whether it is one letter of a script in which a word has several."""
    return len(letters) == 1 and not _IS_LETTER.match(letters)


class _Timed(NamedTuple):
    """A token of the speech."""

    letters: str
    start: float
    end: float
    joined: bool  # to the one before: single letters, with no blank between


class Alignment:
    """When each word of a text is over, from the times of the words that were spoken for it, as they come."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens_of(text)
        self._timed: list[_Timed] = []
        self._position = (0, 0)  # the first token that has no time, and the first timed one that is not matched
        self._parted = True
        self._known: list[float] = []  # when the tokens before the position end
        self.last = 0.0

    @property
    def has_times(self) -> bool:
        """Whether any word is timed."""
        return bool(self._timed)

    def add(self, words: Iterable[WordTiming]) -> None:
        """Take more words, in the order in which they are spoken."""
        for word, start, end in words:
            tokens = tokens_of(word)
            self._parted = self._parted or word[:1].isspace()
            start, end = max(start, self.last), max(end, self.last)
            for token in tokens:
                joined = not self._parted and _is_single(token.letters) and _is_single(self._timed[-1].letters)
                self._timed.append(_Timed(token.letters, start, end, joined))
                self._parted = False
                self.last = end
            self._parted = self._parted or word[-1:].isspace()
        self._go_on(complete=False)

    def close(self) -> None:
        """Take note that no more words will come."""
        self._go_on(complete=True)
        token, timed = self._position
        if len(self._groups(timed)) >= self._words_in(token, len(self._tokens)) > 0:
            self._fill(len(self._tokens), len(self._timed))

    def end_of(self, offset: int) -> float | None:
        """When what stands before the offset is over; None if that is not known."""
        index = bisect_left(self._tokens, offset, key=lambda token: token.end)
        return self._known[index] if index < len(self._known) else None

    def _go_on(self, *, complete: bool) -> None:
        self._run()
        if self._timed and not (complete or self._parted) and _is_single(self._timed[-1].letters):
            return  # it takes time to look, and more letters of the word may come
        while (anchor := self._anchor(complete)) is not None:
            self._fill(*anchor)
            self._run()

    def _run(self) -> None:
        """Match what was read as it is written, letter by letter: a timed word may be a part of one, or several."""
        token, timed = self._position
        within = 0
        ends: list[float] = []
        for index, word in enumerate(self._timed[timed:], timed):
            for letter in word.letters:
                if token == len(self._tokens) or self._tokens[token].letters[within] != letter:
                    return
                within += 1
                if within == len(self._tokens[token].letters):
                    token, within = token + 1, 0
                    ends.append(word.end)
            if not within:
                self._known += ends
                self._position = (token, index + 1)
                ends = []

    def _anchor(self, complete: bool) -> tuple[int, int] | None:
        """The next certain word, a token and a timed one."""
        token, timed = self._position
        groups = self._groups(timed)
        if token == len(self._tokens) or not groups:
            return None
        certain = _certain([letters for letters, *_ in self._tokens[token:]], [letters for letters, _ in groups])
        words = self._words_in(token, len(self._tokens))
        for ahead, place, size in certain:
            index = token + ahead
            skipped, following = self._words_in(token, index), len(groups) - size - place
            if not complete:
                # None of what the words before it were read as looks like it: by now all of that has come.
                certainly = following >= _READ_AS * skipped
            elif len(groups) < words:  # the voice gives no times for some
                certainly = self._tokens[index].start - self._tokens[token].start <= _SKIPPED
            else:  # each word was read as one or more, those before it and those behind
                certainly = place >= skipped and following >= self._words_in(index, len(self._tokens)) - size
            if certainly:
                return index, groups[place][1]
        return None

    def _fill(self, token: int, timed: int) -> None:
        """Give the words up to a token, read in some other way, the times of what was spoken for them."""
        begin, first = self._position
        spoken = [*(start for _, start in self._groups(first) if start < timed), timed]
        words = self._words_in(begin, token)
        if words == len(spoken) - 1:  # a word each
            number = -1
            for index in range(begin, token):
                number += index == begin or self._tokens[index].word != self._tokens[index - 1].word
                self._known.append(self._timed[spoken[number + 1] - 1].end)
        else:
            over = self._timed[timed - 1].end if timed > first else self._timed[timed].start
            self._known += [over] * (token - begin)
        self._position = (token, timed)

    def _words_in(self, begin: int, end: int) -> int:
        """How many words the tokens from one to another are of."""
        return len({token.word for token in self._tokens[begin:end]})

    def _groups(self, begin: int) -> list[tuple[str, int]]:
        """What was spoken from a timed token on, word by word: its letters, and its first token."""
        groups: list[tuple[str, int]] = []
        for index, timed in enumerate(self._timed[begin:], begin):
            if timed.joined and groups:
                groups[-1] = (groups[-1][0] + timed.letters, groups[-1][1])
            else:
                groups.append((timed.letters, index))
        return groups


def _certain(written: Sequence[str], spoken: Sequence[str]) -> list[tuple[int, int, int]]:
    """The words, or several in a row, of which there is one here and one there: where, and how many they are."""
    found: dict[int, tuple[int, int]] = {}
    for size in range(1, _IN_A_ROW + 1):
        here, there = (list(zip(*(words[at:] for at in range(size)), strict=False)) for words in (written, spoken))
        counts, others = Counter(here), Counter(there)
        places = {phrase: place for place, phrase in enumerate(there)}
        for index, phrase in enumerate(here):
            if counts[phrase] == others[phrase] == 1:
                found.setdefault(index, (places[phrase], size))
    return [(index, *found[index]) for index in sorted(found)]


class SpokenEnds:
    """Where in what a voice was given the words of a text end, as they were said before a filter went over them.

    What was left out is over with the next word that was not; what was replaced, with all that stands for it.
    """

    def __init__(self, said: str, spoken: str) -> None:
        written, given = tokens_of(said), tokens_of(spoken)
        matcher = SequenceMatcher(None, [t.letters for t in written], [t.letters for t in given], autojunk=False)
        kept: dict[int, int] = {}  # the end of a word, by its number
        for kind, begin, end, first, last in matcher.get_opcodes():
            for index in range(begin, end) if last > first else ():
                kept[written[index].word] = given[first + index - begin if kind == "equal" else last - 1].end
        self._ends = [word.end() for word in WORD.finditer(said)]
        self._spoken = [len(spoken.rstrip())] * len(self._ends)
        for number in reversed(range(len(self._ends))):
            following = self._spoken[number + 1] if number + 1 < len(self._ends) else len(spoken.rstrip())
            self._spoken[number] = min(kept.get(number, following), following)

    def at(self, offset: int) -> int:
        """The offset in what the voice was given that stands for one in what was said."""
        index = bisect_left(self._ends, offset)
        return self._spoken[index] if index < len(self._ends) else (self._spoken[-1] if self._spoken else 0)
