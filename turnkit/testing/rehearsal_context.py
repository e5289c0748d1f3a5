"""The conversation that is being rehearsed, and the reply at work, for whoever runs in the midst of it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from ..session import Reply
from .scripted_call import ScriptedCall


class RehearsalLog(Protocol):
    """Where stand-ins write down what they do."""

    def note(self, who: str, what: str, *, tool: str = "", call: ScriptedCall | None = None) -> None:
        """Write down that `who` does `what`, now; with the `call` of a `tool`, an effect."""

    def goes_wrong(self, reply: Reply | None) -> None:
        """Write down that a stand-in fails or hangs, as it was told to, in this reply; None: in one that is unknown."""


CONVERSATION: ContextVar[RehearsalLog | None] = ContextVar("turnkit_rehearsal", default=None)
REPLY: ContextVar[Reply | None] = ContextVar("turnkit_reply", default=None)


def note(who: str, what: str, *, tool: str = "", call: ScriptedCall | None = None) -> None:
    """Write down, in the conversation that is being rehearsed, if one is, what happens now."""
    conversation = CONVERSATION.get()
    if conversation is not None:
        conversation.note(who, what, tool=tool, call=call)


def goes_wrong(reply: Reply | None) -> None:
    """Write down, in the conversation that is being rehearsed, if one is, that what was scripted goes wrong now."""
    conversation = CONVERSATION.get()
    if conversation is not None:
        conversation.goes_wrong(reply)


def current_reply() -> Reply | None:
    """The reply whose `respond` is at work here; None outside of a rehearsal, or if none is."""
    return REPLY.get()
