"""One call of a stand-in, remembered: when, with what, by which reply, what it gave, and how it went."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anyio

from ..session import Reply
from ..turns.events import Outcome


@dataclass
class ScriptedCall:
    """One call of a ScriptedLLM, ScriptedVoice or ScriptedTool.

    Attributes:
        at: When it began, in seconds on the loop's clock.
        asked: The messages, for an LLM; the details, for a tool; None for a voice.
        reply: The reply that made it; None where that is not known.
        gave: The tokens, the words, or the result, as far as it came.
        ended: When it was over, in seconds on the loop's clock; None while it is under way.
        failed: Whether it ended with an error.
        stopped: Whether it was cancelled.
        key: The key under which a tool was called; None without one.
    """

    at: float
    asked: Any = field(repr=False)
    reply: Reply | None
    gave: list[Any] = field(default_factory=list, repr=False)
    ended: float | None = None
    failed: bool = False
    stopped: bool = False
    key: str | None = None

    @property
    def outcome(self) -> str:
        """`finished`, `failed`, `cancelled` or `under way`; what a reply left behind when it ended is cancelled."""
        if self.failed:
            return "failed"
        left = self.ended is None and self.reply is not None and self.reply.outcome not in (None, Outcome.FINISHED)
        if self.stopped or left:
            return "cancelled"
        return "under way" if self.ended is None else "finished"

    def end(self, error: BaseException | None = None) -> None:
        """The call is over, by this error if any."""
        if self.ended is None:
            self.ended = anyio.current_time()
            self.failed = isinstance(error, Exception)
            self.stopped = error is not None and not self.failed
