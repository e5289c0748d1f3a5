"""Which connections belong to one call, so that a fault can strike a call's second connection and a script go on.

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


class Call:
    """A caller's conversation, over however many connections.

    Fields: `tags` and `number` among the calls with these tags, from 1; `attempts` to connect so far; `engaged` while
    a connection of it is well; `finished` by CloseStream; `position`, the second of the caller's speech up to which
    it was heard.
    """

    def __init__(self, tags: Tags, number: int) -> None:
        self.tags = tags
        self.number = number
        self.attempts = 0
        self.engaged = False
        self.finished = False
        self.position = 0.0


class Attempt:
    """One attempt of a call to connect; `number` counts them from 1, those that were refused included."""

    def __init__(self, call: Call) -> None:
        call.attempts += 1
        call.engaged = True
        self.call = call
        self.number = call.attempts
        self.start = call.position  # the second of the caller's speech where its audio begins

    def dice(self, seed: int) -> Random:
        """Its own chance: the same for the same seed, call and number, whatever other calls do."""
        return Random(f"{seed} {self.call.tags} {self.call.number} {self.number}")

    def cover(self, second: float) -> None:
        """The client was told what it said up to this second of the connection's audio."""
        if self.latest:
            self.call.position = max(self.call.position, self.start + second)

    def move(self, position: float) -> None:
        """The connection's audio turns out to begin at this second of the caller's speech."""
        self.start = position
        if self.latest:
            self.call.position = position

    def leave(self, *, finished: bool) -> None:
        """The connection is gone, or of no more use; `finished`: by CloseStream, the call is over."""
        if self.latest:
            self.call.engaged = False
            self.call.finished = self.call.finished or finished

    @property
    def latest(self) -> bool:
        """Whether the call has not connected again since."""
        return self.number == self.call.attempts


class Calls:
    """The calls that are not over."""

    def __init__(self) -> None:
        self._calls: dict[Tags, list[Call]] = {}
        self._numbers: Counter[Tags] = Counter()

    def attempt(self, query: str) -> Attempt:
        """A connection is asked for with this query: of a call that was broken off, or of a new one."""
        tags = tuple(value for name, value in parse_qsl(query, keep_blank_values=True) if name == "tag")
        self._calls = {of: live for of, calls in self._calls.items() if (live := [c for c in calls if not c.finished])}
        calls = self._calls.setdefault(tags, [])
        for call in calls:
            if tags or not call.engaged:
                return Attempt(call)
        self._numbers[tags] += 1
        calls.append(Call(tags, self._numbers[tags]))
        return Attempt(calls[-1])
