"""The replies of a session: begun, committed, paused, and ended, each in exactly one way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from ..errors import LocalProtocolError
from ..timers import now
from ..turns.chart import ReplyState
from ..turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    DropReason,
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
from .callables import awaited
from .failures import Failed, failure
from .gate import Chunks, Gate
from .history import History, Message
from .loop_thread import LoopThread
from .reply import Reply, ReplyPlayback, Respond
from .silence import Silence

if TYPE_CHECKING:
    from ..speaking import Speak
    from .initiatives import Initiatives
    from .interceptor import Interceptor

PAUSE_OR_END = frozenset({Cancel, BargeIn, Hold, Resume, TurnDropped})
"""The signals that are for `Replies.pause_or_end`."""


class RunningReply:
    """A reply that is not over: its gate, its two tasks, its playback, and what went wrong first, if anything did."""

    __slots__ = ("error", "gate", "is_cancelled", "playback", "reply", "reported", "respond", "voice", "work")

    def __init__(self, reply: Reply, gate: Gate, respond: Respond | None) -> None:
        self.reply = reply
        self.gate = gate
        self.respond = respond
        self.work: anyio.TaskHandle[None] | None = None  # of `respond`; None: it runs in the host's callbacks
        self.voice: anyio.TaskHandle[None] | None = None  # of `speak`; None before the commit
        self.is_cancelled = False
        self.playback: ReplyPlayback | None = None
        self.error: BaseException | None = None
        self.reported = True  # whether anybody knows what was heard of it

    def cancel(self) -> None:
        """Cancel both tasks, as far as there are any."""
        self.is_cancelled = True
        for task in (self.voice, self.work):
            if task is not None:
                task.cancel()


class Replies:
    """The replies of one session: they follow the machine's signals, and nothing is decided here.

    Without `speak` this only keeps the books: the host runs the replies and reports their playback.

    Args:
        name: the session's, for the keys of its replies.
        machine: the machine, of which only the state is read.
        respond: what says the replies; None if the host runs them.
        speak: what plays the replies; None if the host runs them.
        feed: takes events for the machine.
        failed: is told of what `respond` and `speak` raise: the function, where, and the error.
        ended: is told the outcome of each reply.
        fact: is told what only observers want to know.
        thread: the one in which the conversation runs.
        reply_timeout: seconds as for `Session`.
        silence_timeout: seconds as for `Session`.

    Attributes:
        history: the conversation, as far as it was heard.
        tasks: where the replies run; None until the conversation begins.
        initiatives: what the agent wants to say unasked; None while it never has.
        cut_off: the replies that the end of the conversation has cut off, in speech or at work.
    """

    __slots__ = (
        "_busy",
        "_ended",
        "_fact",
        "_failed",
        "_feed",
        "_machine",
        "_name",
        "_owed",
        "_reply_timeout",
        "_respond",
        "_running",
        "_silence_timeout",
        "_speak",
        "_thread",
        "cut_off",
        "history",
        "initiatives",
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
        failed: Failed,
        ended: Callable[[ReplyEnded], None],
        fact: Callable[[str, Mapping[str, Any]], None],
        thread: LoopThread,
        reply_timeout: float | None,
        silence_timeout: float | None,
    ) -> None:
        self.history = History()
        self.tasks: TaskGroup | None = None
        self.initiatives: Initiatives | None = None
        self.cut_off: tuple[int, ...] = ()
        self._name = name
        self._machine = machine
        self._respond = respond
        self._speak = speak
        self._feed = feed
        self._failed = failed
        self._ended = ended
        self._fact = fact
        self._thread = thread
        self._reply_timeout = reply_timeout
        self._silence_timeout = silence_timeout
        self._busy = False
        self._running: dict[int, RunningReply] = {}
        self._owed: tuple[tuple[int, str], ...] = ()  # turns that may not have had an answer, and their words

    @property
    def runs_here(self) -> bool:
        """Whether replies run here, and not in the host's callbacks."""
        return self._speak is not None

    def runs(self, reply: int) -> bool:
        """Whether this reply is under way here, and will come to an end by itself."""
        return self.runs_here and reply in self._running

    def find(self, reply: int) -> Reply | None:
        """The reply with this id; None if it is over, or has not begun."""
        running = self._running.get(reply)
        return None if running is None else running.reply

    def intercept(self, interceptor: Interceptor) -> None:
        """Have the interceptor stand in for `respond` and `speak`, where replies run here."""
        if self._respond is not None and self._speak is not None:
            self._respond = interceptor.responding(self._respond)
            self._speak = interceptor.speaking(self._speak)

    def close(self) -> None:
        """The conversation is over; what is still being heard is cut off."""
        self.cut_off = tuple(self._running)
        for reply in self.cut_off:
            self._end(reply, Outcome.INTERRUPTED)

    # Signals ------------------------------------------------------------------------------------------------------

    def begin_or_commit(self, signal: Speculate | Commit) -> None:
        """Before the callbacks, which may rely on it: the turn is in the history, and there is a reply to report on."""
        if isinstance(signal, Speculate):
            self._start(self._new(signal, self._respond, speculative=True))
            return
        # Also if the agent speaks unasked: words that nobody has answered yet may be among what it is told.
        self.history.user_said(signal.reply, signal.transcript, signal.unanswered)
        self._commit(signal)

    def pause_or_end(self, signal: Signal | ReplyEnded) -> None:
        """After the callbacks: pause, resume or end what the signal, one of `PAUSE_OR_END`, is about."""
        match signal:
            case Cancel(reason=reason):
                running = self._running.get(signal.reply)
                if running is not None and reason in (CancelReason.NEW_TURN, CancelReason.INTERRUPTED):
                    self._owe(running.reply)
                self._end(signal.reply, Outcome.CANCELLED)
            case BargeIn():
                self._end(signal.reply, Outcome.INTERRUPTED)
            case Hold() | Resume():
                running = self._running.get(signal.reply)
                if running is not None:
                    running.gate.silence.pause(Hold, isinstance(signal, Hold))
                    running.gate.sign()
                if running is not None and running.playback is not None:
                    (running.playback.hold if isinstance(signal, Hold) else running.playback.resume)()
            case TurnDropped(reason=DropReason.SUPERSEDED | DropReason.STREAM_LOST):
                self._add_owed(signal.turn, signal.transcript)
            case _:
                pass

    def _new(self, signal: Speculate | Commit, respond: Respond | None, *, speculative: bool) -> RunningReply:
        since = self._first_owed(signal.unanswered)
        if since is None:
            since = signal.turn
        key = f"{self._name}:reply-{signal.reply}" if since is None else f"{self._name}:turn-{since}"
        silence = Silence(self._reply_timeout, self._silence_timeout)
        if self._busy:
            silence.pause(self, True)
        gate = Gate(silence)
        reply = Reply(
            signal,
            key,
            speculative=speculative,
            messages=self._messages,
            gate=gate,
            check=self._thread.check,
        )
        return RunningReply(reply, gate, respond)

    def _messages(self, reply: Reply) -> list[Message]:
        if reply.is_committed:
            return self.history.messages_for(reply.id)
        return self.history.messages_with(reply.id, reply.transcript, reply.unanswered)

    def _commit(self, signal: Commit) -> None:
        running = self._running.get(signal.reply)
        if running is None:
            respond = self._respond
            if signal.trigger == "initiate" and self.initiatives is not None:
                respond = self.initiatives.begin(signal.reply) or respond
            running = self._new(signal, respond, speculative=False)
            self._start(running)
        running.reply.transcript, running.reply.words = signal.transcript, signal.words
        running.reply.languages = signal.languages
        running.gate.commit()
        if running.work is not None and self.tasks is not None:
            running.voice = self.tasks.start_soon(self._run_part, running, self._run_voice)
            alarm = running.gate.silence.watch(lambda: self._silent(running))
            if alarm.needs_task:
                self.tasks.start_soon(alarm.keep)

    def _owe(self, reply: Reply) -> None:
        """Nothing was heard of this reply: its turn, if it has one, is still owed an answer."""
        if reply.turn is not None and reply.is_committed:
            self._add_owed(reply.turn, reply.transcript)

    def _add_owed(self, turn: int, text: str) -> None:
        self._owed = tuple(sorted({**dict(self._owed), turn: text}.items()))

    def _first_owed(self, unanswered: tuple[str, ...]) -> int | None:
        """The oldest turn that these words are of, oldest first; what they are not of has been answered."""
        left, owed = list(unanswered), list[tuple[int, str]]()
        for turn, text in reversed(self._owed):
            if left and text == left[-1]:
                left.pop()
                owed.insert(0, (turn, text))
        self._owed = tuple(owed)
        return owed[0][0] if owed else None

    def _start(self, running: RunningReply) -> None:
        reply = running.reply.id
        self._running[reply] = running
        if self._speak is not None and self.tasks is not None:
            self.history.begin(reply)
            running.gate.open(
                lambda text: self.history.agent_said(reply, text), lambda: self._fact("FirstChunk", {"reply": reply})
            )
            running.work = self.tasks.start_soon(self._run_part, running, self._run_respond)

    def _end(self, reply_id: int, outcome: Outcome) -> None:
        running = self._running.pop(reply_id, None)
        if running is None:
            return
        reply = running.reply
        if running.error is not None and outcome in (Outcome.FINISHED, Outcome.CANCELLED):
            outcome = Outcome.FAILED
        running.gate.end(outcome)
        if outcome is not Outcome.FINISHED and running.work is not None:
            running.cancel()
            running.gate.discard()
        if said := self.history.said(reply.id):
            self._fact("Said", {"reply": reply.id, "text": said})
        self.history.reply_over(reply.id, cancelled=outcome is Outcome.CANCELLED)
        ended = ReplyEnded(
            reply.turn,
            reply.id,
            outcome,
            reply.heard,
            running.reported,
            running.error if outcome is Outcome.FAILED else None,
            at=now(),
        )
        self._ended(ended)

    # Playback -----------------------------------------------------------------------------------------------------

    def report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        """Pass on what is heard of a reply; of one that is over, or not to be heard yet, nothing is kept."""
        self._thread.check("playback")
        floor = self._machine.floor
        running = self._running.get(event.reply) if floor is not None and floor[0] == event.reply else None
        if running is not None:
            running.gate.silence.heard()
            if isinstance(event, PlaybackAdvanced):
                running.gate.advance(event.heard)
                self.history.agent_heard(event.reply, event.heard)
            elif isinstance(event, PlaybackFinished):
                if event.failed and floor is not None and floor[1] is ReplyState.PENDING:
                    self._owe(running.reply)
                # Before the machine goes on to whoever has been waiting for the floor.
                self._end(event.reply, Outcome.FAILED if event.failed else Outcome.FINISHED)
            else:
                running.gate.sign()
        self._feed(event)

    # The run of a reply -------------------------------------------------------------------------------------------

    async def _run_part(self, running: RunningReply, part: Callable[[RunningReply], Awaitable[None]]) -> None:
        """Run one of the two parts of a reply in a task of its own; what must finish in it holds up nobody else."""
        done = False
        try:
            await part(running)
            done = True
        except (KeyboardInterrupt, SystemExit) as error:
            # As it is, it would stop asyncio's loop under everybody's feet; `run` raises it as what it was.
            raise BaseExceptionGroup("the program is to end", [error]) from None
        except anyio.get_cancelled_exc_class():
            # Of a cancelled reply also a foreign one, as of the host's own task that was cancelled with it: its scope
            # would let that out, and it would end the call.
            if not running.is_cancelled:
                raise
        finally:
            if not (done or running.is_cancelled) and running.reply.id not in self.cut_off:
                self.cut_off += (running.reply.id,)

    async def _run_respond(self, running: RunningReply) -> None:
        reply = running.reply
        assert running.respond is not None
        try:
            # Cancelled before it could begin, it does not begin.
            await anyio.lowlevel.checkpoint_if_cancelled()
            returned = await awaited(running.respond, reply)
            if isinstance(returned, (str, bytes)) and returned.strip() and not running.gate.has_said:
                kind = "text" if isinstance(returned, str) else "audio"
                raise LocalProtocolError(f"respond returned {kind} and said nothing: use `await reply.say(...)`")
        except BaseException as raised:
            error = failure(raised)
            if error is None:
                raise
            self._fail(running, running.respond, error)
            if not reply.is_committed and reply.outcome is None:
                self._feed(DraftDiscarded(reply.id, CancelReason.FAILED))
        finally:
            running.gate.complete()
            self._fact("RespondEnded", {"reply": reply.id})

    async def _run_voice(self, running: RunningReply) -> None:
        try:
            await self._run_speak(running)
        finally:
            running.gate.discard()

    async def _run_speak(self, running: RunningReply) -> None:
        reply = running.reply
        assert self._speak is not None
        first = await running.gate.first()
        if not first:
            # Silent: because its author wanted no sound, which is an answer, or because something failed.
            self._finish(running)
            return
        if reply.outcome is not None:
            return
        chunks = Chunks(running.gate, first)
        playback = running.playback = ReplyPlayback(
            lambda: self.report(PlaybackStarted(reply.id)),
            lambda text: self.report(PlaybackAdvanced(reply.id, text)),
        )
        try:
            await awaited(self._speak, reply, chunks, playback)
        except BaseException as raised:
            error = failure(raised)
            if error is None:
                raise
            self._fail(running, self._speak, error)
            running.cancel()
        else:
            # Its return is the last sound. What it reported stands; if no words, all it was given counts as heard.
            running.reported = playback.has_started or playback.has_advanced
            if chunks.said and not playback.has_advanced:
                self.report(PlaybackAdvanced(reply.id, chunks.said))
            elif not playback.has_started:
                self.report(PlaybackStarted(reply.id))
        self._finish(running)

    def _silent(self, running: RunningReply) -> None:
        """Fail a reply that is silent for too long; the floor does not wait until whoever is silent has given up."""
        silence = running.gate.silence
        setting = "silence_timeout" if silence.has_words else "reply_timeout"
        late = TimeoutError(f"silent for {silence.bound} s ({setting})")
        voice = silence.owed or running.gate.is_complete
        self._fail(running, self._speak if voice else running.respond, late)
        self._finish(running)

    def busy(self, on: bool) -> None:
        """The host works, or not `on`, has done so: the silence of the replies is meant."""
        self._busy = on
        for running in self._running.values():
            running.gate.silence.pause(self, on)

    def _fail(self, running: RunningReply, function: object, error: BaseException) -> None:
        running.error = running.error or error
        self._failed(function, f"reply {running.reply.id}", error, reply=running.reply.id)

    def _finish(self, running: RunningReply) -> None:
        self.report(PlaybackFinished(running.reply.id, running.error is not None))
