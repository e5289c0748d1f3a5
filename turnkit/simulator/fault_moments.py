"""The moments of a connection at which a fault can strike, and how they are written.

`MOMENTS` lists them. Moments name the conversation as it would have been: what other faults do to it does not shift
them. Turns and messages count from 1, on each connection anew. What silences or ends a connection strikes after the
message that its moment names, unless the moment is just before it; any other fault begins with that message.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import msgspec

from ..errors import ConfigError

MOMENTS = {
    "connect": "the upgrade, before it is answered",
    "connected": "Connected",
    "12.5s": "so many seconds of audio received",
    "message7": "the seventh message of the connection, whatever it is; message* is each one",
    "update3 start2 eager1 resumed1 end2": "the third Update, the second StartOfTurn, ...; eager* is each one",
    "turn2.before": "just before the second turn's StartOfTurn",
    "turn2.start": "that StartOfTurn",
    "turn2.mid": "the first Update after it; turn2 alone is this",
    "turn2.eager": "the turn's first EagerEndOfTurn",
    "turn2.end": "just before its EndOfTurn",
    "turn2.after": "that EndOfTurn",
    "configure1 force1": "on receipt of the first Configure, the first ForceEndTurn",
    "close": "on receipt of CloseStream",
}
"""Every form of a moment by an example, and when it is."""

PARTS = ("before", "start", "mid", "eager", "end", "after")
MESSAGE_MOMENTS = ("message", "update", "start", "eager", "resumed", "end")
COMMAND_MOMENTS = {"Configure": "configure", "ForceEndTurn": "force", "CloseStream": "close"}

_EVENTS = {
    "Update": "update",
    "StartOfTurn": "start",
    "EagerEndOfTurn": "eager",
    "TurnResumed": "resumed",
    "EndOfTurn": "end",
}
_EARLY_PARTS = ("before", "end")
_ALONE = ("connect", "connected", "close")
_AUDIO = re.compile(r"(\d+(?:\.\d+)?)s", re.ASCII)
_COUNTED = re.compile(rf"({'|'.join((*MESSAGE_MOMENTS, 'configure', 'force'))})([1-9]\d*|\*)?", re.ASCII)
_TURN = re.compile(rf"turn([1-9]\d*|\*)?(?:\.({'|'.join(PARTS)}))?", re.ASCII)

RULE = (
    "must be connect, connected, close, seconds such as 12.5s, one of message update start eager resumed end "
    f"configure force with a number or * (eager1), or a turn such as turn2.mid (of {' '.join(PARTS)})"
)
"""What a moment may look like, for error messages and help."""


class Moment(msgspec.Struct, frozen=True):
    """A point on a connection; `str` gives the text form, which `Moment.parse` reads.

    Attributes:
        kind: what it is counted by, such as "eager", "turn" or "audio".
        number: which of its kind, from 1; None: each. Default 1.
        part: of a turn, one of `PARTS`; "" otherwise.
        seconds: of audio received, for the kind "audio".
    """

    kind: str
    number: int | None = 1
    part: str = ""
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Moment:
        """Read the text form. Raises ConfigError with what there is."""
        if text in _ALONE:
            return cls(text)
        if match := _AUDIO.fullmatch(text):
            return cls("audio", seconds=float(match[1]))
        if match := _TURN.fullmatch(text):
            return cls("turn", _number(match[1]), match[2] or "mid")
        if match := _COUNTED.fullmatch(text):
            return cls(match[1], _number(match[2]))
        raise ConfigError(f"moment {text!r}: {RULE}")

    def __str__(self) -> str:
        if self.kind == "audio":
            return f"{self.seconds:g}s"
        if self.kind in _ALONE:
            return self.kind
        number = "*" if self.number is None else self.number
        return f"{self.kind}{number}" + (f".{self.part}" if self.part else "")

    @property
    def early(self) -> bool:
        """Whether it is just before the message that it names."""
        return self.kind == "audio" or self.part in _EARLY_PARTS

    def is_one_of(self, named: list[Moment]) -> bool:
        """Whether it is among moments with all their numbers given."""
        return any(
            (self.kind, self.part) == (moment.kind, moment.part) and self.number in (None, moment.number)
            for moment in named
        )


def _number(text: str | None) -> int | None:
    return None if text == "*" else int(text or 1)


class ConnectionProgress:
    """Counts what a connection would have said by now, and names the moments of each message.

    Attributes:
        in_turn: whether StartOfTurn was said and EndOfTurn was not.
        eager_text: what the open turn's latest EagerEndOfTurn said; None once it was resumed.
    """

    def __init__(self) -> None:
        self.in_turn = False
        self.eager_text: str | None = None
        self._seen: Counter[str] = Counter()
        self._turns = 0
        self._parts: set[str] = set()  # of the open turn, once each

    def command(self, kind: str) -> list[Moment]:
        """The moments at which a command of this kind is received."""
        name = COMMAND_MOMENTS[kind]
        self._seen[name] += 1
        return [Moment(name, self._seen[name])]

    def message(self, fields: dict[str, Any]) -> list[Moment]:
        """The moments of a message; `in_turn` and `eager_text` are as before an EndOfTurn until `passed`."""
        named = [self._count("message")]
        if fields.get("type") == "Connected":
            named.append(Moment("connected"))
        event = _EVENTS.get(fields.get("event", ""))
        if fields.get("type") != "TurnInfo" or event is None:
            return named
        named.append(self._count(event))
        if event == "start" or (event == "end" and not self.in_turn):
            self._turns += 1
            self._parts.clear()
            self.in_turn = True
        if event == "eager":
            self.eager_text = fields.get("transcript", "")
        elif event == "resumed":
            self.eager_text = None
        parts = {"start": ("before", "start"), "update": ("mid",), "eager": ("eager",), "end": ("end", "after")}
        for part in parts.get(event, ()) if self.in_turn else ():
            if part not in self._parts:
                self._parts.add(part)
                named.append(Moment("turn", self._turns, part))
        return named

    def passed(self, fields: dict[str, Any]) -> None:
        """Note that a message is through: after an EndOfTurn, no turn is open."""
        if fields.get("event") == "EndOfTurn":
            self.in_turn = False
            self.eager_text = None

    def _count(self, kind: str) -> Moment:
        self._seen[kind] += 1
        return Moment(kind, self._seen[kind])
