"""What happened in a rehearsed conversation, written down as it happens: who said what when, and what was heard."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import anyio

from ..session import HostFailure, Reply, Session
from ..turns.chart import UserState
from ..turns.events import Outcome, ReplyEnded, Signal
from .caller import StreamEvent
from .caller_script import LineStart
from .matching import contains_words
from .moments import CallMoment, render
from .pace import ScriptedFailure
from .scripted_call import ScriptedCall


@dataclass(frozen=True)
class Effect:
    """A call of a tool in a conversation, and whether it may take effect.

    Attributes:
        at: When it began, in seconds since the call began.
        tool: The name of the tool.
        key: The key under which it was called; None without one.
        call: The call, with its details, its result and its outcome.
        too_early: The turn was not final, and the reply only a draft.
        too_late: The reply was over, and not to its end.
    """

    at: float
    tool: str
    key: str | None
    call: ScriptedCall
    too_early: bool
    too_late: bool


def unscripted(failure: HostFailure) -> list[Exception]:
    """What the bot raised in a failure: nothing that was scripted, nor that it was silent, which nobody raised."""
    return [
        error
        for error in failure.errors
        if isinstance(error, Exception) and not isinstance(error, ScriptedFailure) and error.__traceback__ is not None
    ]


class ConversationRecord:
    """The record of one rehearsed conversation; the caller, the session and the stand-ins write it.

    Attributes:
        session: The session of the bot.
        began: When the call began, in seconds on the loop's clock.
        moments: All that happened, in order.
        signals: What turnkit decided, in order; ReplyEnded is among it.
        effects: The calls of ScriptedTools, in order.
        heard_of: What was heard of each reply, by its id.
        failures: What functions of the bot failed at: `respond`, `speak`, callbacks, observers and policies.
        errors: What the bot raised, other than failures that were scripted.
        sounds: (second of the call, reply) of each report that something was heard.
        gone_wrong: The replies in which a stand-in failed or hung, as it was told to; None is one that is unknown.
        given_up: Why the caller gave the call up; empty if they did not.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.began = anyio.current_time()
        self.moments: list[CallMoment] = []
        self.signals: list[Signal | ReplyEnded] = []
        self.effects: list[Effect] = []
        self.heard_of: dict[int, str] = {}
        self.failures: list[HostFailure] = []
        self.errors: list[Exception] = []
        self.sounds: list[tuple[float, int]] = []
        self.gone_wrong: set[int | None] = set()
        self.given_up = ""
        self._replies: dict[int, Reply] = {}
        self._ended: dict[int, float] = {}
        self._changed: anyio.Event | None = None

    def __str__(self) -> str:
        return render(self.moments)

    def now(self) -> float:
        """Seconds since the call began."""
        return round(anyio.current_time() - self.began, 9)

    # What the caller writes ---------------------------------------------------------------------------------------

    def flux_says(self, event: StreamEvent) -> None:
        """Write down that Flux tells the bot this, now."""
        self.moments.append(CallMoment(self.now(), "caller", event))

    def gave_up(self, why: str) -> None:
        """Write down that the caller hangs up, as what they waited for did not come."""
        self.given_up = self.given_up or why

    async def changed(self) -> None:
        """Wait until the agent has done something."""
        self._changed = self._changed or anyio.Event()
        await self._changed.wait()

    def reached(self, start: LineStart, since: float, last: float) -> float | None:
        """When the agent did what a line of the caller waits for; see `CallProgress`."""
        floor = self.session.floor
        if start.after == "speaking":
            return next((at for at, reply in self.sounds if floor is not None and reply == floor[0]), None)
        if start.after == "done":
            ends = [at for reply, at in self._ended.items() if at >= last and reply in self.heard_of]
            rests = floor is None and self.session.user is UserState.LISTENING
            return max(ends) if ends and rests else None
        recent = (text for reply, text in self.heard_of.items() if self._ended.get(reply, inf) >= since)
        return self.now() if any(contains_words(text, start.words) for text in recent) else None

    # What the session and the bot write ---------------------------------------------------------------------------

    def met(self, reply: Reply) -> None:
        """Remember a new reply, of which turnkit has just decided."""
        self._replies[reply.id] = reply

    def signalled(self, signal: Signal | ReplyEnded) -> None:
        """Write down what turnkit decided."""
        self.moments.append(CallMoment(self.now(), "turnkit", signal))
        self.signals.append(signal)
        if isinstance(signal, ReplyEnded):
            self._ended[signal.reply] = self.now()
        self._stir()

    def hears(self, reply: int, text: str | None) -> None:
        """Write down that of this reply the text has been heard so far; None: its first sound."""
        if reply not in self.heard_of:
            self.heard_of[reply] = ""
            self.moments.append(CallMoment(self.now(), "agent", f"is heard: reply {reply}"))
        self.heard_of[reply] = text or self.heard_of[reply]
        self.sounds.append((self.now(), reply))
        self._stir()

    def host_failed(self, failure: HostFailure) -> None:
        """Write down what a function of the bot raised; among the errors, unless it was scripted."""
        self.failures.append(failure)
        self.errors += unscripted(failure)

    def _stir(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    # What stand-ins write -----------------------------------------------------------------------------------------

    def note(self, who: str, what: str, *, tool: str = "", call: ScriptedCall | None = None) -> None:
        """Write down that a stand-in, `who`, does `what`, now; with the `call` of a `tool`, an effect."""
        self.moments.append(CallMoment(self.now(), who, what))
        if call is not None:
            self.effects.append(self._effect(tool, call))

    def goes_wrong(self, reply: Reply | None) -> None:
        """Write down that a stand-in fails or hangs, as it was told to; see `RehearsalLog`."""
        self.gone_wrong.add(None if reply is None else reply.id)

    def _effect(self, tool: str, call: ScriptedCall) -> Effect:
        replies = [reply for reply in self._replies.values() if reply.key == call.key]
        at_work = [call.reply] if call.reply is not None else replies
        final = [reply for reply in at_work if reply.is_committed]
        alive = [reply for reply in final if reply.outcome in (None, Outcome.FINISHED)]
        early = bool(at_work) and not final
        return Effect(self.now(), tool, call.key, call, early, bool(final) and not alive)
