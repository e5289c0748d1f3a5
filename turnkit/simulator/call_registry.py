"""The registry of calls: which connections belong to one, so that a fault can strike a call's second connection.

A connection has no name in Flux, but a label: `tag`, which a client repeats when it reconnects. Connections with the
same tags are one call until it is ended by CloseStream. Without a tag, a connection belongs to the oldest call
without one that is broken off: its last connection was refused, is gone, or was silenced or ended by a fault. That is
right for one caller after the other; callers that ring at the same time should have a tag each.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TypeAlias
from urllib.parse import parse_qsl

Tags: TypeAlias = tuple[str, ...]
_TELLING_SECONDS = 1.0  # within which a word that was heard is told


class Call:
    """A caller's conversation, over however many connections.

    Attributes:
        tags: of its connections.
        number: which of the calls with these tags it is, from 1.
        attempts: how often it has tried to connect so far.
        connected: whether its latest connection is of use: neither gone nor silenced or ended by a fault.
        finished: whether CloseStream has ended it.
        position: the second of the caller's speech up to which it was heard.
    """

    def __init__(self, tags: Tags, number: int) -> None:
        self.tags = tags
        self.number = number
        self.attempts = 0
        self.connected = False
        self.finished = False
        self.position = 0.0


class Attempt:
    """One attempt of a call to connect.

    Attributes:
        call: whose it is.
        number: counts the call's attempts from 1, those that were refused included.
        start: the second of the caller's speech where its audio begins.
    """

    def __init__(self, call: Call) -> None:
        call.attempts += 1
        call.connected = True
        self.call = call
        self.number = call.attempts
        self.start = call.position
        self._told = 0.0

    def random(self, seed: int) -> Random:
        """Random numbers of its own: the same for the same seed, call and number, whatever other calls do."""
        return Random(f"{seed} {self.call.tags} {self.call.number} {self.number}")

    def cover_to(self, second: float, told: float | None) -> None:
        """The client was told that this second of the connection's audio is heard, and words that end at `told`.

        Words are told a moment after they are heard, so it goes on after the last, or a little before what is heard.
        """
        if told is not None:
            self._told = told
        if self.latest:
            covered = max(min(second, self._told), second - _TELLING_SECONDS)
            self.call.position = max(self.call.position, self.start + covered)

    def begin_at(self, position: float) -> None:
        """The connection's audio begins at this second of the caller's speech."""
        self.start = position
        if self.latest:
            self.call.position = position

    def end(self, *, finished: bool) -> None:
        """The connection is gone, or of no more use; `finished`: CloseStream has ended the call."""
        if self.latest:
            self.call.connected = False
            self.call.finished = self.call.finished or finished

    @property
    def latest(self) -> bool:
        """Whether the call has not connected again since."""
        return self.number == self.call.attempts


class CallRegistry:
    """The calls that are not over."""

    def __init__(self) -> None:
        self._calls: dict[Tags, list[Call]] = {}
        self._numbers: Counter[Tags] = Counter()

    def attempt(self, query: str) -> Attempt:
        """Register an attempt to connect with this query: of a call that was broken off, or of a new one."""
        tags = tuple(value for name, value in parse_qsl(query, keep_blank_values=True) if name == "tag")
        self._calls = {of: live for of, calls in self._calls.items() if (live := [c for c in calls if not c.finished])}
        calls = self._calls.setdefault(tags, [])
        for call in calls:
            if tags or not call.connected:
                return Attempt(call)
        self._numbers[tags] += 1
        calls.append(Call(tags, self._numbers[tags]))
        return Attempt(calls[-1])
