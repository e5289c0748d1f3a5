"""Who runs the replies: begins them, lets them be heard, ends each in exactly one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import anyio
from anyio.abc import TaskGroup

from ..speaking import Speak
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    Event,
    Hold,
    Outcome,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    ReplyEnded,
    Resume,
    Signal,
    Speculate,
    TurnDropped,
)
from ..turns.machine import TurnMachine
from .history import History, Message
from .reply import Chunks, Reply, ReplyPlayback, Respond

FOLLOWED = frozenset({Cancel, BargeIn, Hold, Resume, TurnDropped})
"""The signals that replies live by, once they have begun."""


class RunningReply:
    """A reply that is not over: its scope, its playback, and whether something went wrong."""

    __slots__ = ("failed", "playback", "reply", "respond", "scope")

    def __init__(self, reply: Reply, respond: Respond | None) -> None:
        self.reply = reply
        self.respond = respond
        self.scope: anyio.CancelScope | None = None  # None: it runs in the host's callbacks
        self.playback: ReplyPlayback | None = None
        self.failed = False


def _mishap(raised: BaseException) -> Exception | None:
    """What went wrong, if it was not only cancelled: on trio a task group that was may raise both as one group."""
    if isinstance(raised, BaseExceptionGroup):
        _, rest = raised.split(anyio.get_cancelled_exc_class())
        return rest if isinstance(rest, Exception) else None
    return raised if isinstance(raised, Exception) else None


class Replies:
    """Keeps the replies of one session. It follows the machine's signals and never decides anything itself.

    `feed` takes events for the machine, `failed` hears of what `respond` and `speak` raise, `ended` of each outcome.
    `fact`, where the call is recorded, of what only a recording wants to know. `reply_timeout` as for `Session`.
    Without `speak` it only keeps the books: the host runs the replies and reports their playback.
    """

    __slots__ = (
        "_ended",
        "_fact",
        "_failed",
        "_feed",
        "_machine",
        "_name",
        "_owed_since",
        "_reply_timeout",
        "_respond",
        "_running",
        "_speak",
        "history",
        "initiative",
        "tasks",
    )

    def __init__(
        self,
        name: str,
        machine: TurnMachine,
        respond: Respond | None,
        speak: Speak | None,
        *,
        feed: Callable[[Event], object],
        failed: Callable[[object, str, Exception], None],
        ended: Callable[[ReplyEnded], None],
        fact: Callable[[str, Mapping[str, Any]], None] | None = None,
        reply_timeout: float | None = None,
    ) -> None:
        self.history = History()
        self.tasks: TaskGroup | None = None
        self.initiative: Respond | None = None  # what the reply says that is being initiated just now
        self._name = name
        self._machine = machine
        self._respond = respond
        self._speak = speak
        self._feed = feed
        self._failed = failed
        self._ended = ended
        self._fact = fact
        self._reply_timeout = reply_timeout
        self._running: dict[int, RunningReply] = {}
        self._owed_since: int | None = None  # the first turn that has not had an audible answer

    @property
    def runs_here(self) -> bool:
        """Whether replies run here, and not in the host's callbacks."""
        return self._speak is not None

    def runs(self, reply: int) -> bool:
        """Whether this reply is under way here, and will come to an end by itself."""
        return self.runs_here and reply in self._running

    def close(self) -> None:
        """The conversation is over; what is still being heard is cut off."""
        for reply in list(self._running):
            self._end(reply, Outcome.INTERRUPTED)

    # Signals ------------------------------------------------------------------------------------------------------

    def before_callbacks(self, signal: Speculate | Commit) -> None:
        """What callbacks may rely on: the history has the turn, and there is a reply whose playback they may report."""
        if isinstance(signal, Speculate):
            reply = self._new(signal, self._machine.unanswered, speculative=True)
            self._start(RunningReply(reply, self._respond))
            return
        if signal.turn is not None:
            self.history.user_said(signal.transcript, signal.unanswered)
        self._commit(signal)

    def after_callbacks(self, signal: Signal | ReplyEnded) -> None:
        """Pause, or end, what the signal, one of `FOLLOWED`, is about."""
        match signal:
            case Cancel(reason=reason):
                if reason is CancelReason.NEW_TURN:
                    self._owe(signal.turn)
                running = self._running.get(signal.reply)
                failed = running is not None and running.failed
                self._end(signal.reply, Outcome.FAILED if failed else Outcome.CANCELLED)
            case BargeIn():
                self._end(signal.reply, Outcome.INTERRUPTED)
            case Hold() | Resume():
                running = self._running.get(signal.reply)
                if running is not None and running.playback is not None:
                    (running.playback.hold if isinstance(signal, Hold) else running.playback.resume)()
            case TurnDropped():
                self._owe(signal.turn)
            case _:
                pass

    def _new(self, signal: Speculate | Commit, unanswered: tuple[str, ...], *, speculative: bool) -> Reply:
        if not unanswered:
            self._owed_since = None
        since = signal.turn if self._owed_since is None else self._owed_since
        key = f"{self._name}:reply-{signal.reply}" if since is None else f"{self._name}:turn-{since}"
        return Reply(
            signal.reply,
            signal.turn,
            signal.transcript,
            unanswered,
            key,
            speculative=speculative,
            messages=self._messages,
        )

    def _messages(self, reply: Reply) -> list[Message]:
        if reply.is_committed:
            return self.history.messages()
        return self.history.messages_with(reply.transcript, reply.unanswered)

    def _commit(self, signal: Commit) -> None:
        running = self._running.get(signal.reply)
        if running is None:
            reply = self._new(signal, signal.unanswered, speculative=False)
            respond = self._respond
            if signal.trigger == "initiate" and self.initiative is not None:
                respond, self.initiative = self.initiative, None
            running = RunningReply(reply, respond)
            self._start(running)
        running.reply.transcript = signal.transcript
        running.reply._set_committed()

    def _owe(self, turn: int | None) -> None:
        if self._owed_since is None and self._machine.unanswered:
            self._owed_since = turn

    def _start(self, running: RunningReply) -> None:
        self._running[running.reply.id] = running
        if self._speak is not None and self.tasks is not None:
            running.reply._open()
            if (fact := self._fact) is not None:
                running.reply._on_first_chunk = lambda: fact("FirstChunk", {"reply": running.reply.id})
            running.scope = anyio.CancelScope()
            self.tasks.start_soon(self._live, running)

    def _end(self, reply_id: int, outcome: Outcome) -> None:
        running = self._running.pop(reply_id, None)
        if running is None:
            return
        reply = running.reply
        reply._end(outcome)
        if outcome is not Outcome.FINISHED and running.scope is not None:
            running.scope.cancel()
            reply._close()
        self.history.reply_over(reply.id)
        self._ended(ReplyEnded(reply.turn, reply.id, outcome, reply.heard, at=anyio.current_time()))

    # Playback -----------------------------------------------------------------------------------------------------

    def report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        """Pass on what is heard of a reply; of one that is over, or not to be heard yet, nothing is kept."""
        floor = self._machine.floor
        running = self._running.get(event.reply) if floor is not None and floor[0] == event.reply else None
        if running is not None:
            if isinstance(event, PlaybackAdvanced):
                running.reply._heard = event.heard
                self.history.agent_heard(event.reply, event.heard)
            elif isinstance(event, PlaybackFinished):
                # Before the machine goes on to whoever has been waiting for the floor.
                self._end(event.reply, Outcome.FAILED if running.failed else Outcome.FINISHED)
        self._feed(event)
        if not self._machine.unanswered:
            self._owed_since = None
        if running is not None and isinstance(event, PlaybackFinished):
            self._owe(running.reply.turn)

    # The life of a reply ------------------------------------------------------------------------------------------

    async def _live(self, running: RunningReply) -> None:
        """From its beginning to its end, in one scope; what must finish in it holds up nobody else."""
        reply = running.reply
        assert running.scope is not None
        try:
            with running.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._run_respond, running)
                    await reply._wait_decided()
                    await self._run_speak(running)
        finally:
            reply._close()

    async def _run_respond(self, running: RunningReply) -> None:
        reply = running.reply
        assert running.respond is not None
        try:
            # Cancelled before it could begin, it does not begin.
            await anyio.lowlevel.checkpoint()
            await running.respond(reply)
        except BaseException as raised:
            error = _mishap(raised)
            if error is None:
                raise
            running.failed = True
            self._failed(running.respond, f"reply {reply.id}", error)
            if not reply.is_committed and reply.outcome is None:
                self._feed(DraftDiscarded(reply.id, CancelReason.FAILED))
        finally:
            reply._gate.close()
            if self._fact is not None:
                self._fact("RespondEnded", {"reply": reply.id})

    async def _run_speak(self, running: RunningReply) -> None:
        reply = running.reply
        assert self._speak is not None
        first = None
        try:
            with anyio.move_on_after(inf if self._reply_timeout is None else self._reply_timeout):
                first = await reply._chunks.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self.report(PlaybackFinished(reply.id))
            return
        if first is None:
            running.failed = True
            late = TimeoutError(f"nothing was said within {self._reply_timeout} s (reply_timeout)")
            self._failed(running.respond, f"reply {reply.id}", late)
            assert running.scope is not None
            running.scope.cancel()
            self.report(PlaybackFinished(reply.id))
            return
        if reply.outcome is not None:
            return
        chunks = Chunks(reply, first)
        playback = running.playback = ReplyPlayback(
            lambda: self.report(PlaybackStarted(reply.id)),
            lambda text: self.report(PlaybackAdvanced(reply.id, text)),
        )
        try:
            await self._speak(reply, chunks, playback)
        except BaseException as raised:
            error = _mishap(raised)
            if error is None:
                raise
            running.failed = True
            self._failed(self._speak, f"reply {reply.id}", error)
            assert running.scope is not None
            running.scope.cancel()
        else:
            # Its return is the last sound. What it reported stands; if nothing, all it was given has been heard.
            if chunks.said and not playback.has_advanced:
                self.report(PlaybackAdvanced(reply.id, chunks.said))
            elif not playback.has_started:
                self.report(PlaybackStarted(reply.id))
        self.report(PlaybackFinished(reply.id))
        reply._chunks.close()
