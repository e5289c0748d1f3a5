"""Who is asked, in the midst of a rehearsal, which conversation it is and which reply is at work."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from ..session import Reply


class Witness(Protocol):
    """Hears what the stand-ins do."""

    def happened(self, who: str, what: str, *, tool: str = "", call: Any = None) -> None:
        """`who` did `what`, now; with the `call` of a `tool`, an effect."""


CONVERSATION: ContextVar[Witness | None] = ContextVar("turnkit_rehearsal", default=None)
REPLY: ContextVar[Reply | None] = ContextVar("turnkit_reply", default=None)


def witness(who: str, what: str, *, tool: str = "", call: Any = None) -> None:
    """Tell the conversation that is being rehearsed, if one is, what happens now."""
    conversation = CONVERSATION.get()
    if conversation is not None:
        conversation.happened(who, what, tool=tool, call=call)


def current_reply() -> Reply | None:
    """The reply whose `respond` is at work here; None outside of a rehearsal, or if none is."""
    return REPLY.get()
