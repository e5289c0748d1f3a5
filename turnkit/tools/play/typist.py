"""Typist: what somebody types, key by key, as words with times in the simulator's ear."""

from __future__ import annotations

from ...simulator import LiveCaller

_LONGEST_TEXT = 600  # characters of the field that are looked at
_LONGEST_WORD = 40
_LONGEST_QUEUE = 30.0  # seconds of speech that may lie ahead, as after pasting
_SHORTEST_HOLD, _LONGEST_HOLD = 0.3, 0.8
_HOLD_INTERVALS = 2.2  # intervals between two keys that pass for one word being said
_PAUSE = 1.5  # seconds between two keys that are no more typing, but a pause
_FULL_STOP = 0.08  # seconds that a word which ends a sentence goes on after its last key
_WORD_SECONDS, _LETTER_SECONDS = 0.13, 0.045  # of a word that was pasted: as scripts have them


class Typist:
    """Makes a live caller say what stands in a text field, as it comes to stand there.

    A word begins with its first key. It goes on a moment after its last one, or every gap between two keys would be a
    pause: 2.2 of the intervals at which this person types. A `.`, `?` or `!` ends it at once. What was said is said:
    of what is deleted or changed only the last word is said anew.

    Args:
        caller: who says it.
    """

    def __init__(self, caller: LiveCaller) -> None:
        self._caller = caller
        self._field = -1
        self._said: list[str] = []  # the words of this field, as they were said last
        self._interval = 0.18
        self._last_key = -_PAUSE

    @property
    def hold(self) -> float:
        """Seconds that a word goes on after its last key."""
        return min(max(self._interval * _HOLD_INTERVALS, _SHORTEST_HOLD), _LONGEST_HOLD)

    def typed(self, text: str, field: int, at: float, *, kept: bool = False) -> None:
        """Take the text that now stands in the field.

        Args:
            text: all of it.
            field: the number of the field: a higher one was emptied since, and what comes late from a lower is nothing.
            at: the second of a monotonic clock.
            kept: whether its one word is the last of the field before, in the middle of which that was emptied.
        """
        if field < self._field:
            return
        if field > self._field:
            self._field, self._said = field, self._said[-1:] if kept else []
        if kept:
            return
        self._learn(at)
        words = [word for word in text[-_LONGEST_TEXT:].split() if any(map(str.isalnum, word))]
        for index, word in enumerate(words):
            word = word[:_LONGEST_WORD]
            typing = index == len(words) - 1
            if index >= len(self._said):
                if self._say(word, typing):
                    self._said.append(word)
            elif index == len(self._said) - 1:
                self._go_on(word, typing)

    def _learn(self, at: float) -> None:
        interval = at - self._last_key
        self._last_key = at
        if interval < _PAUSE:
            self._interval += 0.2 * (interval - self._interval)

    def _say(self, word: str, typing: bool) -> bool:
        """Say another word; False if there is too much that is not said yet."""
        now, last = self._caller.now, self._caller.last
        if last is not None and last.start + 0.02 < now < last.end:
            self._caller.amend(last.text, end=now)
            last = self._caller.last
        start = max(now, last.end if last is not None else 0.0)
        if start - now > _LONGEST_QUEUE:
            return False
        self._caller.say(word, start=start, end=self._end(word, start, typing))
        return True

    def _go_on(self, word: str, typing: bool) -> None:
        """The last word has come further, or was corrected; after the end of its turn what is new is said anew."""
        last, said = self._caller.last, self._said[-1]
        if last is None:
            return
        if word == said and not typing:
            return
        if self._caller.amend(word, end=self._end(word, last.start, typing)):
            self._said[-1] = word
        elif word != said:
            new = word.removeprefix(said)
            if any(map(str.isalnum, new)):
                self._say(new, typing)
            self._said[-1] = word

    def _end(self, word: str, start: float, typing: bool) -> float:
        spoken = start + _WORD_SECONDS + _LETTER_SECONDS * sum(map(str.isalnum, word))
        if not typing:
            return spoken
        finished = word.endswith((".", "?", "!")) and not word.endswith("...")
        return max(start + 0.1, self._caller.now + (_FULL_STOP if finished else self.hold))
