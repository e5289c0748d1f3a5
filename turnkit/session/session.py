"""The run of a session: the reader, the clock, and the callbacks."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from inspect import isawaitable, iscoroutine
from math import inf
from pathlib import Path
from typing import Any, TypeVar, get_args, overload
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from ..errors import ConfigError, LocalProtocolError, RemoteProtocolError, TurnkitError
from ..logs import logger
from ..metrics import Observer
from ..speaking import Speak
from ..timers import Alarm, clock
from ..trace import Recorder
from ..turns.chart import ReplyState, UserState
from ..turns.events import (
    SIGNALS,
    BargeIn,
    Busy,
    Cancel,
    CancelReason,
    Commit,
    DraftDiscarded,
    Event,
    Initiate,
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Signal,
    Speculate,
    StreamLost,
    StreamRestored,
    TurnEvent,
    TurnStalled,
    TurnUpdated,
)
from ..turns.machine import TurnMachine
from ..turns.policy import BargeInPolicy, Immediate, OnEager, SpeculationPolicy
from ..wire import (
    ConfigureFailure,
    Connected,
    ErrorMessage,
    Message,
    TurnInfo,
    Unknown,
    WarningMessage,
    decode,
    to_event,
)
from .history import Message as ChatMessage
from .observers import Witnesses
from .recording import Tape
from .replies import FOLLOWED, Replies
from .reply import Reply, Respond

S = TypeVar("S", bound=Signal | ReplyEnded)
Callback = Callable[[S], Awaitable[object] | object]
_IMMEDIATE = Immediate()
_ON_EAGER = OnEager()
_TURN_EVENTS = frozenset(get_args(TurnEvent))
_HOST_EVENTS = frozenset(get_args(Event)) - _TURN_EVENTS
_TICK = 1e-6  # seconds by which a timer may be early
_HEARABLE = (*SIGNALS, ReplyEnded)


class Session:
    """One conversation, from `run` to its end; everything is called from the event loop that runs it.

    Settings: `respond` and `speak`, both or neither, run the replies (see `Reply`; without them your callbacks do, and
    report the playback); the policies `barge_in` and `speculation` and the times, in seconds, are those of
    `TurnMachine`. `reply_timeout`: how many seconds `respond` may keep the user waiting for its first words once the
    turn is final; then the reply has failed and the floor is free; None for ever. `id` names the conversation in logs
    and in the keys of its replies; if not given it is random. `record` is where the call is recorded: a file that does
    not exist yet, a directory ("calls/", made if it is not there), or a `turnkit.trace.Recorder`;
    see `turnkit.trace` for what is in it. A disk that fails is logged, and the call goes on.
    Raises ConfigError for a setting that cannot work.

    Attributes:
        id: the name of the conversation.
        notes: how often each kind of surprise has come, those that the session itself met among them.
    """

    def __init__(
        self,
        *,
        respond: Respond | None = None,
        speak: Speak | None = None,
        barge_in: BargeInPolicy = _IMMEDIATE,
        speculation: SpeculationPolicy = _ON_EAGER,
        hold_timeout: float = 2.0,
        lost_turn_grace: float = 2.0,
        stall_timeout: float = 8.0,
        stall_grace: float = 2.0,
        idle_timeout: float | None = None,
        reply_timeout: float | None = 60.0,
        id: str | None = None,
        record: str | Path | Recorder | None = None,
    ) -> None:
        for name, function in (("respond", respond), ("speak", speak)):
            if function is not None and not callable(function):
                raise ConfigError(f"{name}={function!r}: must be an async function")
        if (respond is None) != (speak is None):
            raise ConfigError("respond, speak: give both, or neither: what is said must be heard somewhere")
        if reply_timeout is not None and not (isinstance(reply_timeout, (int, float)) and 0 < reply_timeout < inf):
            raise ConfigError(f"reply_timeout={reply_timeout!r}: must be a number of seconds, more than 0, or None")
        settings: dict[str, Any] = {
            "barge_in": barge_in,
            "speculation": speculation,
            "hold_timeout": hold_timeout,
            "lost_turn_grace": lost_turn_grace,
            "stall_timeout": stall_timeout,
            "stall_grace": stall_grace,
            "idle_timeout": idle_timeout,
        }
        self._machine = TurnMachine(**settings)
        self.id = uuid4().hex if id is None else id
        tape = None if record is None else Tape(record, self.id, settings)
        self._witnesses = Witnesses(tape, partial(self._work_failed, tell=False))
        self.notes: Counter[NoteKind] = Counter()
        self._queue: list[Signal | ReplyEnded] = []
        self._keeper = Replies(
            self.id,
            self._machine,
            respond,
            speak,
            feed=self._tell,
            failed=self._work_failed,
            ended=self._reply_ended,
            fact=self._witnesses.fact,
            reply_timeout=reply_timeout,
        )
        self._callbacks: dict[type, list[Callback[Any]]] = {}
        self._tasks: TaskGroup | None = None
        self._alarm: Alarm | None = None
        self._clock: Callable[[], float] = anyio.current_time
        self._last = -inf
        self._dispatching = False
        self._scopes: dict[int, set[anyio.CancelScope]] = {}
        self._busy = 0
        self._changed: anyio.Event | None = None
        self._sequence_id = -1
        self._lost = self._connected = False
        self._source: object = None

    # Callbacks ----------------------------------------------------------------------------------------------------

    @overload
    def on(self, signal: type[S]) -> Callable[[Callback[S]], Callback[S]]: ...
    @overload
    def on(self, signal: type[S], callback: Callback[S]) -> Callback[S]: ...
    def on(
        self, signal: type[S], callback: Callback[S] | None = None
    ) -> Callback[S] | Callable[[Callback[S]], Callback[S]]:
        """Call `callback(signal)` at every signal of this type; without `callback`, a decorator that does.

        Any number of callbacks, sync or async, called in the order of their registration. Raises ConfigError for a
        type that is not a signal, or a callback that cannot be called.
        """
        if signal not in _HEARABLE:
            names = ", ".join(kind.__name__ for kind in _HEARABLE)
            raise ConfigError(f"on({getattr(signal, '__name__', signal)!r}): must be one of the signals {names}")
        if callback is None:
            return lambda function: self.on(signal, function)
        if not callable(callback):
            raise ConfigError(f"on({signal.__name__}, {callback!r}): the callback must be callable")
        self._callbacks.setdefault(signal, []).append(callback)
        return callback

    # The run ------------------------------------------------------------------------------------------------------

    async def run(self, source: AsyncIterable[object], *, drain: bool = True) -> None:
        """Hold the conversation until `source` ends; a session runs once.

        `source` yields messages (`FluxStream` does), turn events, StreamLost and StreamRestored, or whatever
        `turnkit.wire.decode` takes; what cannot be read becomes a Note. If it has a `send_force_end_turn` (`FluxStream`
        does), that is called for a turn that stalls; without it, or if it does not help, the machine ends such a turn
        by itself when `stall_grace` is over. If the source raises, the stream counts as lost: what was said is still
        dealt with, and then the error is raised on. At the end `drain` waits for the async callbacks of the reply that
        has the floor, and for the words of a turn that was lost with the stream; then whatever is open is closed.
        Without `drain`, callbacks that still run are cancelled.

        Raises LocalProtocolError if the session has been run before.
        """
        if self._tasks is not None or self._machine.closed:
            raise LocalProtocolError("run(): a session runs once; make a new one for the next conversation")
        self._clock = clock()
        self._alarm = Alarm(self._wake)
        self._witnesses.begin(source, self._now, self._alarm)
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as self._tasks:
                self._keeper.tasks = self._tasks
                try:
                    self._dispatch(self._let_pass(self._now()))
                    if self._busy:
                        self._feed(Busy(True))
                    if self._alarm.needs_task:
                        self._tasks.start_soon(self._alarm.keep)
                    self._set_alarm()
                    failure = await self._read(source)
                    while drain and self._unfinished():
                        self._changed = anyio.Event()
                        await self._changed.wait()
                finally:
                    # Also when the run is cancelled: whoever plays or pays for a reply learns that it is over.
                    self._dispatch(self._end(self._now()))
                    self._keeper.close()
                    self._dispatch(())
                    self._alarm.stop()
                if not drain:
                    self._tasks.cancel_scope.cancel()
        finally:
            self._witnesses.end()
        if failure is not None:
            raise failure

    async def _read(self, source: AsyncIterable[object]) -> Exception | None:
        """Take all that the source has to give; what it raises, if it does, is the loss of the stream."""
        self._source = source
        try:
            async for item in source:
                self._take(item)
        except Exception as error:
            self._lose(str(error) if isinstance(error, TurnkitError) else type(error).__name__)
            return error
        finally:
            self._source = None
        return None

    def _force_end_turn(self, _: TurnStalled) -> Awaitable[object] | None:
        """Have Flux end a turn that goes nowhere, if the source can tell it to; the reader does not wait for that."""
        force = getattr(self._source, "send_force_end_turn", None)
        return None if force is None else force()

    def _unfinished(self) -> bool:
        """Whether something of this conversation is under way that will come to an end by itself."""
        floor = self._machine.floor
        if floor is None:
            return self._machine.suspended is not None
        return self._keeper.runs(floor[0]) or bool(self._scopes.get(floor[0]))

    def _set_alarm(self) -> None:
        deadline = self._machine.deadline
        if deadline is not None and self._alarm is not None:
            self._alarm.bring_forward(deadline)

    def _wake(self) -> None:
        """The alarm has rung: perhaps for a deadline that has moved on since, or a tick of the clock early."""
        now, deadline = self._now(), self._machine.deadline
        if deadline is not None and now + _TICK >= deadline and not self._machine.closed:
            # The deadline's own time, if the clock is a tick short of it: to wait for it might take for ever where
            # time only passes when nobody has anything to do.
            self._last = now = max(now, deadline)
            self._dispatch(self._let_pass(now))
        self._set_alarm()
        self._witnesses.tick(now)

    def _let_pass(self, now: float) -> tuple[Signal, ...]:
        signals = self._machine.wake(now)
        self._witnesses.woken(now, signals)
        return signals

    def _end(self, now: float) -> tuple[Signal, ...]:
        signals = self._machine.close(now)
        self._witnesses.closed(now, signals)
        return signals

    def _now(self) -> float:
        """The clock, which for the machine never goes back."""
        self._last = max(self._clock(), self._last)
        return self._last

    # Events in ----------------------------------------------------------------------------------------------------

    def _take(self, item: object) -> None:
        if type(item) is TurnInfo:
            self._take_turn(item)
        elif type(item) in _TURN_EVENTS:
            self._lost = False
            self._feed(item)  # type: ignore[arg-type]
        elif type(item) is StreamLost:
            self._lose(item.reason)
        elif type(item) is StreamRestored:
            self._lost = False
            self._feed(item)
        elif type(item) in _HOST_EVENTS:
            self._feed(item)  # type: ignore[arg-type]
        else:
            try:
                message = decode(item)
            except RemoteProtocolError as error:
                self._note(NoteKind.MALFORMED_MESSAGE, str(error))
                return
            if type(message) is TurnInfo:
                self._take_turn(message)
            else:
                self._take_message(message)

    def _take_turn(self, message: TurnInfo) -> None:
        if self._witnesses.present:
            self._witnesses.took(message)
        self._count(message.sequence_id)
        event = to_event(message)
        if event is None:
            self._note(NoteKind.UNKNOWN_MESSAGE, f"TurnInfo with event {message.event[:40]!r}")
        else:
            self._lost = False
            self._feed(event, message)

    def _take_message(self, message: Message) -> None:
        self._witnesses.took(message)
        if isinstance(message, Unknown):
            kind = NoteKind.MALFORMED_MESSAGE if message.problem else NoteKind.UNKNOWN_MESSAGE
            self._note(kind, f"{message.type[:40]!r}: {message.problem or 'a type that turnkit does not know'}")
            self._sequence_id = -1  # it may have had a number of its own
            return
        if isinstance(message, Connected):
            if self._connected:
                # Whoever reconnected did not say that the old stream was lost; turns are counted from 0 again.
                self._lose("connected anew")
            self._connected = True
            self._sequence_id = -1
            if self._lost:
                self._lost = False
                self._feed(StreamRestored("connected"))
        self._count(message.sequence_id)
        if isinstance(message, ErrorMessage):
            self._lose(message.code or "Flux sent an Error")
        elif isinstance(message, WarningMessage):
            self._note(NoteKind.FLUX_WARNING, message.code or "without a code")
        elif isinstance(message, ConfigureFailure):
            self._note(NoteKind.CONFIGURE_FAILED, message.code or message.error_code or "without a code")

    def _count(self, sequence_id: int) -> None:
        if sequence_id != self._sequence_id + 1 and sequence_id >= 0 and self._sequence_id >= 0:
            self._note(NoteKind.SEQUENCE_GAP, f"sequence_id {sequence_id} after {self._sequence_id}")
        self._sequence_id = sequence_id

    def _lose(self, reason: str) -> None:
        if not self._lost:
            self._lost, self._connected = True, False
            self._sequence_id = -1
            self._feed(StreamLost(reason))

    def _feed(self, event: Event, message: TurnInfo | None = None) -> tuple[Signal, ...]:
        now = self._now()
        signals = self._machine.feed(event, now)
        if self._witnesses.present:
            self._witnesses.fed(now, event, signals, message)
        # Most messages bring nothing, or words that changed and nobody who wants to hear of it.
        if self._queue:
            # A reply has just ended; it is told of before what follows from it.
            self._dispatch(signals)
        elif signals and (len(signals) > 1 or type(signals[0]) is not TurnUpdated or TurnUpdated in self._callbacks):
            self._dispatch(signals)
        self._set_alarm()
        return signals

    def _note(self, kind: NoteKind, detail: str) -> None:
        note = Note(kind, detail, at=self._now())
        self._witnesses.told(note)
        self._dispatch((note,))

    def _reply_ended(self, ended: ReplyEnded) -> None:
        self._witnesses.told(ended)
        self._queue.append(ended)

    # Signals out --------------------------------------------------------------------------------------------------

    def _dispatch(self, signals: Iterable[Signal | ReplyEnded]) -> None:
        """Carry out signals in order; what a callback's own report leads to comes after what is already there."""
        self._queue.extend(signals)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._queue:
                self._carry_out(self._queue.pop(0))
        finally:
            self._dispatching = False
        self._stir()

    def _stir(self) -> None:
        """Let a draining run look again whether anything is unfinished."""
        if self._changed is not None:
            self._changed.set()

    def _carry_out(self, signal: Signal | ReplyEnded) -> None:
        kind = type(signal)
        if kind is Note:
            self.notes[signal.kind] += 1  # type: ignore[union-attr]
        elif kind is Commit or kind is Speculate:
            self._keeper.before_callbacks(signal)  # type: ignore[arg-type]
        callbacks: Iterable[Callback[Any]] = self._callbacks.get(kind, ())
        if kind is TurnStalled:
            callbacks = (*callbacks, self._force_end_turn)
        for callback in callbacks:
            try:
                result = callback(signal)
            except Exception as error:
                self._callback_failed(callback, signal, error)
            else:
                if result is not None and isawaitable(result):
                    self._start(callback, signal, result)
        if isinstance(signal, (Cancel, BargeIn)):
            for scope in self._scopes.pop(signal.reply, ()):
                scope.cancel()
        if kind in FOLLOWED:
            self._keeper.after_callbacks(signal)

    def _start(self, callback: Callback[Any], signal: Signal | ReplyEnded, work: Awaitable[object]) -> None:
        """Let the work of an async callback, not begun yet, go on by itself, in its reply's scope if it has one."""
        assert self._tasks is not None
        scope = anyio.CancelScope()
        reply = signal.reply if isinstance(signal, (Speculate, Commit)) else None
        if reply is not None:
            self._scopes.setdefault(reply, set()).add(scope)
        self._tasks.start_soon(self._call, callback, signal, work, scope, reply)

    async def _call(
        self,
        callback: Callback[Any],
        signal: Signal | ReplyEnded,
        work: Awaitable[object],
        scope: anyio.CancelScope,
        reply: int | None,
    ) -> None:
        try:
            if not scope.cancel_called:
                with scope:
                    await work
            elif iscoroutine(work):
                # Cancelled before it could begin, so it does not begin.
                work.close()
        except Exception as error:
            self._callback_failed(callback, signal, error)
        finally:
            if reply is not None and (scopes := self._scopes.get(reply)) is not None:
                scopes.discard(scope)
                if not scopes:
                    del self._scopes[reply]
            self._stir()

    def _callback_failed(self, callback: Callback[Any], signal: Signal | ReplyEnded, error: Exception) -> None:
        # A report that the callbacks for Note failed could only go to them.
        self._work_failed(callback, type(signal).__name__, error, tell=not isinstance(signal, Note))

    def _work_failed(self, work: object, at: str, error: Exception, *, tell: bool = True) -> None:
        """Report what a function of the host's raised: in the log, and as a Note."""
        name = getattr(work, "__qualname__", type(work).__qualname__)
        logger(session=self.id).error(
            "callback_failed",
            callback=name,
            at=at,
            error=type(error).__name__,
            where=_where(error),
            personal_message=str(error),
        )
        if tell:
            self._note(NoteKind.CALLBACK_FAILED, f"{name} at {at}: {type(error).__name__}")
        else:
            self.notes[NoteKind.CALLBACK_FAILED] += 1

    # The host -----------------------------------------------------------------------------------------------------

    def playback_started(self, reply: int) -> None:
        """Report that the first sound of `reply` was heard. Late reports, of a reply that is over, change nothing."""
        self._report(PlaybackStarted(reply))

    def playback_advanced(self, reply: int, heard: str) -> None:
        """Report what of `reply` has been heard so far."""
        self._report(PlaybackAdvanced(reply, heard))

    def playback_finished(self, reply: int) -> None:
        """Report that the last sound of `reply` was heard, or that it had nothing to say."""
        self._report(PlaybackFinished(reply))

    def protect(self, reply: int, on: bool = True) -> None:
        """Forbid (or, not `on`, allow again) that `reply` is interrupted; what is said over it is answered after it."""
        self._tell(Protect(reply, on))

    def discard_draft(self, reply: int, reason: str = "failed") -> None:
        """Say that the draft `reply` is no good, `failed` or `context_changed`: the turn will get a fresh one."""
        self._tell(DraftDiscarded(reply, reason))

    def context_changed(self) -> None:
        """Say that what a draft may have been made from is no longer true: a draft there is now is discarded."""
        if self._machine.draft is not None:
            self.discard_draft(self._machine.draft, CancelReason.CONTEXT_CHANGED)

    def initiate(self, what: str | Respond | None = None, *, protected: bool = False) -> int | None:
        """Let the agent speak unasked: the id of its reply, or None if the floor is taken.

        `what` is said, if it is text, or called instead of `respond`; without it, `respond` gets a reply to no turn.
        A `protected` reply is not interrupted once it is heard. Raises LocalProtocolError if the session is not
        running, or has no `speak` to say `what`.
        """
        if self._tasks is None or self._machine.closed:
            raise LocalProtocolError("initiate(): the session is not running; call it while run() is under way")
        if what is not None and not self._keeper.runs_here:
            raise LocalProtocolError("initiate(what): this session has no speak; answer the Commit instead")
        before = self._keeper.initiative
        self._keeper.initiative = _saying(what) if isinstance(what, str) else what
        for signal in self._feed(Initiate(protected)):
            if isinstance(signal, Commit):
                return signal.reply
        # From inside a callback, the Commit of an earlier one may not have been carried out yet.
        self._keeper.initiative = before
        return None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the idle clock while a tool runs: the silence is not the user's. May be nested."""
        self._busy += 1
        if self._busy == 1:
            self._tell(Busy(True))
        try:
            yield
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._tell(Busy(False))

    @property
    def history(self) -> list[ChatMessage]:
        """The conversation as chat messages: what the user said, and of the agent's replies what was heard."""
        return self._keeper.history.messages()

    def record(self, fact: str, **fields: Any) -> None:
        """Add a fact of your own to the recording, such as `record("TokensUsed", reply=reply.id, tokens=213)`.

        Observers are told too (see `observe`); before and after the run nothing happens. Raises LocalProtocolError,
        where it is recorded, for a fact without a name and for fields that are no plain values, or called as the
        line's own: `at` and `fact`.
        """
        self._witnesses.fact(fact, fields)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on what happens, in the order in which it is decided and before any callback.

        Such as a `turnkit.metrics.Watch`; see `turnkit.telemetry`. What it raises is logged, and the call goes on.
        """
        self._witnesses.add(observer)

    def remember(self, message: Mapping[str, Any]) -> None:
        """Add a message to the history, such as a tool's result: what has happened stays known, heard or not."""
        self._keeper.history.add(message)

    def _report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        if self._tasks is not None and not self._machine.closed:
            self._keeper.report(event)

    def _tell(self, event: Event) -> None:
        if self._tasks is not None and not self._machine.closed:
            self._feed(event)

    @property
    def user(self) -> UserState:
        """What the user is doing."""
        return self._machine.user

    @property
    def floor(self) -> tuple[int, ReplyState] | None:
        """The reply that has the floor and its state: pending, audible or held."""
        return self._machine.floor


def _where(error: Exception) -> str:
    """The line that raised, without the values that were in play."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""


def _saying(text: str) -> Respond:
    async def say(reply: Reply) -> None:
        await reply.say(text)

    return say
