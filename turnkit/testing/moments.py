"""What happened in a rehearsed conversation, line by line, for a person to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..turns.events import (
    EndOfTurn,
    ReplyEnded,
    StartOfTurn,
    StreamLost,
    StreamRestored,
    TurnStarted,
    TurnUpdated,
    Update,
)

_SAID = {
    "StartOfTurn": "begins",
    "EagerEndOfTurn": "seems to have finished",
    "TurnResumed": "goes on",
    "EndOfTurn": "has finished",
}


@dataclass(frozen=True)
class CallMoment:
    """One thing that happened in a rehearsed conversation.

    Attributes:
        at: When, in seconds since the call began.
        who: caller, turnkit, agent, llm or tool.
        what: The event, the signal, or words that say it.
    """

    at: float
    who: str
    what: Any

    def __str__(self) -> str:
        return f"{self.at:8.2f}  {self.who:<8} {_describe(self.what)}"


def render(moments: Iterable[CallMoment]) -> str:
    """The moments as text, a line each; words that only grow are left out, as the next event has them."""
    return "\n".join(
        str(moment) for moment in moments if not isinstance(moment.what, (Update, TurnStarted, TurnUpdated))
    )


def _describe(what: Any) -> str:
    name = type(what).__name__
    match what:
        case str():
            return what
        case StreamLost() | StreamRestored():
            return f"is cut off: {what.reason}" if isinstance(what, StreamLost) else f"is back: {what.reason}"
        case ReplyEnded():
            heard = f"heard “{what.heard.strip()}”" if what.heard.strip() else "nothing heard"
            heard += "" if what.reported else " (nobody reported it)"
            why = "" if what.error is None else f", {type(what.error).__name__}"
            return f"ReplyEnded  reply {what.reply}, {what.outcome}, {heard}{why}"
        case _ if name in _SAID:
            trigger = f"  ({what.trigger})" if isinstance(what, EndOfTurn) and what.trigger != "model" else ""
            said = "" if isinstance(what, StartOfTurn) and not what.transcript else f"  “{what.transcript}”"
            return f"{_SAID[name]}{said}{trigger}"
        case _:
            return f"{name}  {', '.join(_fields(what))}"


def _fields(signal: Any) -> Iterable[str]:
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if name in ("at", "confidence") or value in ((), "", None):
            continue
        if name == "transcript":
            yield f"“{value}”"
        elif name == "speculative":
            yield "its draft" if value else "begun now"
        elif name == "why":
            yield f"why: {value}"
        elif name == "unanswered":
            yield f"also to {', '.join(f'“{text}”' for text in value)}"
        elif name in ("reason", "kind", "detail"):
            yield str(value)
        else:
            yield f"{name} {value}"
