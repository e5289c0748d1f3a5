"""The session: what a host calls, and the run of a conversation from its source to its end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import isasyncgen
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload
from uuid import uuid4

import anyio

from ..checks import check_seconds
from ..errors import ConfigError, FluxError, LocalProtocolError, TurnkitError, sole_error
from ..turns.chart import ReplyState, UserState
from ..turns.events import (
    Busy,
    CancelReason,
    Commit,
    DraftDiscarded,
    Initiate,
    Interrupt,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Signal,
    Speculate,
    TurnStalled,
    TurnStarted,
)
from ..turns.machine import TurnMachine
from ..turns.policy import BargeInPolicy, Immediate, OnEager, SpeculationPolicy
from ..wire import FluxOptions, TurnInfo
from .callbacks import Callback, S
from .dispatcher import Dispatcher
from .history import Message as ChatMessage
from .intake import Intake, Surprise
from .observers import Observer
from .reply import Respond, saying

if TYPE_CHECKING:
    from ..speaking import Speak
    from ..trace import Recorder
    from .interceptor import Interceptor
    from .recording import Recording
    from .signal_stream import SignalStream

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_IMMEDIATE = Immediate()
_ON_EAGER = OnEager()
_REPORTS: dict[type, str] = {
    PlaybackStarted: "playback_started",
    PlaybackAdvanced: "playback_advanced",
    PlaybackFinished: "playback_finished",
}


class Session:
    """One conversation, from `run` to its end; everything is called in the thread of the event loop that runs it.

    While it runs, what is called in another thread raises LocalProtocolError and changes nothing; there is
    `call_from_thread` for that.

    `respond` and `speak`, both or neither, run the replies (see `Reply`); without them your callbacks do, and report
    the playback. Times are in seconds.

    Args:
        respond: the async function that says a reply.
        speak: the async function that plays it, such as a `turnkit.speaker(...)`.
        barge_in: the policy that decides whether the user interrupts; by default `Immediate()`.
        speculation: the policy that decides whether to begin a draft; by default `OnEager()`.
        hold_timeout: how long a playback may be held while an overlap is judged, 2 by default.
        lost_turn_grace: how long a turn that was lost with the stream may wait to be continued, 2 by default.
        stall_timeout: how long a turn may make no progress before it counts as stalled, 8 by default.
        stall_grace: how long after that it ends by itself, 2 by default.
        idle_timeout: how long nobody may say anything until UserIdle; None, the default, for ever.
        reply_timeout: how long `respond` may keep the user waiting for its first words once the turn is final, 60 by
            default; then the reply has failed and the floor is free. None for ever.
        silence_timeout: how long a reply that has the floor may then go without a sound and without words, 20 by
            default; then it has failed. The time stands still in `busy`, in `must_finish` and while a playback is held;
            a voice that reports nothing has the time its words take besides. None for ever.
        drain_timeout: how long `run` may wait, once the source has ended, for what is under way, 60 by default; then
            it is cancelled, but for what stands in `must_finish`. None for ever.
        id: the name of the conversation in logs and in the keys of its replies; random by default.
        record: where the call is recorded: a file that does not exist yet, a directory ("calls/", made if it is not
            there), or a `turnkit.trace.Recorder`; see `turnkit.trace` for what is in it. A disk that fails is logged,
            and the call goes on. None, the default, records nothing.
        options: those of the connection to Flux, for the recording; only where the source does not know them, as
            `FluxStream` does.

    Raises:
        ConfigError: for a setting that cannot work.

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
        silence_timeout: float | None = 20.0,
        drain_timeout: float | None = 60.0,
        id: str | None = None,
        record: str | Path | Recorder | None = None,
        options: FluxOptions | None = None,
    ) -> None:
        for name, function in (("respond", respond), ("speak", speak)):
            if function is not None and not callable(function):
                raise ConfigError(f"{name}={function!r}: must be an async function")
        if (respond is None) != (speak is None):
            raise ConfigError("respond, speak: give both, or neither: what is said must be heard somewhere")
        bounds = {"reply_timeout": reply_timeout, "silence_timeout": silence_timeout, "drain_timeout": drain_timeout}
        for name, bound in bounds.items():
            if bound is not None:
                check_seconds(name, bound, zero=False)
        if options is not None and not isinstance(options, FluxOptions):
            raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
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
        self._recording: Recording | None = None
        if record is not None:
            from .recording import Recording  # and what a recorder needs: only for those who record

            self._recording = Recording(record, self.id, settings, options)
        self._dispatcher = Dispatcher(
            self.id,
            self._machine,
            self._recording,
            respond,
            speak,
            reply_timeout=reply_timeout,
            silence_timeout=silence_timeout,
            stalled=self._force_end_turn,
            settled=self._check_drained,
        )
        self._replies = self._dispatcher.replies
        self._callbacks = self._dispatcher.callbacks
        self.notes = self._dispatcher.notes
        self._intake = Intake()
        self._interceptor: Interceptor | None = None
        self._busy = 0
        self._drain_timeout = inf if drain_timeout is None else drain_timeout
        self._drained: anyio.Event | None = None
        self._source: object = None
        self._thread = self._dispatcher.thread

    def __repr__(self) -> str:
        began = self._dispatcher.tasks is not None
        state = "running" if self._dispatcher.running else "ended" if began else "not run yet"
        floor = "nobody" if self.floor is None else f"reply {self.floor[0]} ({self.floor[1]})"
        return f"<Session {self.id} {state}: the user is {self.user}, {floor} has the floor>"

    # Callbacks ----------------------------------------------------------------------------------------------------

    @overload
    def on(self, signal: type[S]) -> Callable[[Callback[S]], Callback[S]]: ...
    @overload
    def on(self, signal: type[S], callback: Callback[S]) -> Callback[S]: ...
    def on(
        self, signal: type[S], callback: Callback[S] | None = None
    ) -> Callback[S] | Callable[[Callback[S]], Callback[S]]:
        """Call `callback(signal)` at every signal of this type.

        Args:
            signal: the type of the signal, such as `BargeIn`.
            callback: a function, sync or async. Any number of them, called in the order of their registration.

        Returns:
            The callback; without one, a decorator that registers what it is put on.

        Raises:
            ConfigError: for a type that is not a signal, or a callback that cannot be called.
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("on")
        return self._callbacks.on(signal, callback)  # type: ignore[no-any-return]

    def signals(self, *kinds: type[Signal | ReplyEnded], limit: int = 1000) -> SignalStream:
        """The signals from now on, in order, for a task of your own: where async callbacks would overtake each other.

            async for signal in session.signals(BargeIn, ReplyEnded):
                await database.write(session.elapsed(signal), signal)

        It ends when the session has ended, so read it beside `run` and not in a callback, which the run would wait for.
        Any number of them may be open; used as a `with`, one is closed before that.

        Args:
            kinds: the types of signals to have, ReplyEnded among them; by default all.
            limit: how many may wait to be read, 1,000 by default. Of a reader that is slower the oldest are dropped,
                and counted in the stream's `missed`.

        Raises:
            ConfigError: for a type that is not a signal, or a limit that is no whole number above zero.
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("signals")
        if type(limit) is not int or limit < 1:
            raise ConfigError(f"limit={limit!r}: must be a whole number above zero")
        from .signal_stream import SignalStream  # only for those who read one

        stream = SignalStream(self.id, limit, self._callbacks.remove)
        for kind in kinds or KINDS:
            self._callbacks.on(kind, stream.put)
        if self._dispatcher.ended:
            stream.end()
        self._streams += (stream,)
        return stream

    # The run ------------------------------------------------------------------------------------------------------

    async def run(self, source: AsyncIterable[object], *, drain: bool = True) -> None:
        """Hold the conversation until `source` ends, or `hang_up` is called; a session runs once.

        - The source ends: the caller may still be listening. What is under way is waited for (`drain`), for
          `drain_timeout` at most.
        - The source raises: the stream counts as lost. The same is waited for, and then the error is raised on.
        - `hang_up`: nobody listens any more. Nothing is waited for but what stands in `must_finish`.
        - `run` is cancelled: as with `hang_up`, and the cancellation goes on.

        Whichever it is, whatever is open is closed then, every reply has its ReplyEnded, and what is raised comes as
        it is, in no exception group.

        Args:
            source: yields messages (`FluxStream` does), turn events, StreamLost and StreamRestored, or whatever
                `turnkit.wire.decode` takes; what cannot be read becomes a Note. If it has a `send_force_end_turn`
                (`FluxStream` does), that is called for a turn that stalls; without it, or if it does not help, the
                machine ends such a turn by itself when `stall_grace` is over.
            drain: whether to wait, when the source has ended, for the async callbacks of the reply that has the floor
                and for the words of a turn that was lost with the stream, True by default. Without, callbacks that
                still run are cancelled.

        Raises:
            FluxError: if the last that `source` had to tell was an Error of Flux.
            LocalProtocolError: if the session has been run before.
        """
        dispatcher = self._dispatcher
        if dispatcher.tasks is not None or self._machine.closed:
            raise LocalProtocolError("run(): a session runs once; make a new one for the next conversation")
        dispatcher.begin(source)
        failure: Exception | None = None
        try:
            async with anyio.create_task_group() as tasks:
                dispatcher.join(tasks)
                try:
                    dispatcher.start()
                    if self._busy:
                        dispatcher.feed_if_running(Busy(True))
                    if self._hung_up:
                        self.hang_up()
                    failure = await self._read(source)
                    until = anyio.current_time() + self._drain_timeout
                    with anyio.CancelScope(deadline=until):
                        while drain and self._unfinished():
                            self._drained = anyio.Event()
                            await self._drained.wait()
                finally:
                    # Also when the run is cancelled: whoever plays or pays for a reply learns that it is over.
                    dispatcher.close()
                tasks.cancel_scope.deadline = until if drain else -inf
        except BaseExceptionGroup as group:
            # Only what ends the program gets here, or a cancellation.
            error = sole_error(group.split(anyio.get_cancelled_exc_class())[1] or group)
            raise error from error.__cause__
        finally:
            dispatcher.end()
            for stream in self._streams:
                stream.end()
        if failure is not None:
            raise failure

    async def _read(self, source: AsyncIterable[object]) -> Exception | None:
        """Take all that the source has to give; what it raises, if it does, is the loss of the stream."""
        self._source = source
        try:
            items = aiter(source)
            if not self._hung_up:
                async for item in items:
                    self._take(item)
                    if self._hung_up:
                        break
            if self._hung_up and isasyncgen(items):
                await items.aclose()
        except Exception as raised:
            error = sole_error(raised)
            reason = str(error) if isinstance(error, TurnkitError) else type(error).__name__
            for lost in self._intake.lose(reason):
                self._dispatcher.feed_if_running(lost)
            return self._of_flux(error)
        finally:
            self._source = None
        return None if self._hung_up else self._intake.fatal

    def _of_flux(self, error: Exception) -> Exception:
        """What Flux itself gave as the reason, if it did, before the source raised."""
        fatal = self._intake.fatal
        if fatal is None or isinstance(error, FluxError):
            return error
        fatal.__cause__ = error
        return fatal

    def _force_end_turn(self, _: TurnStalled) -> Awaitable[object] | None:
        """Have Flux end a turn that goes nowhere, if the source can tell it to; the reader does not wait for that."""
        force = getattr(self._source, "send_force_end_turn", None)
        return None if force is None else force()

    def _unfinished(self) -> bool:
        """Whether something of this conversation is under way that will come to an end by itself."""
        floor = self.floor
        if floor is None:
            return not self._machine.closed and self._machine.suspended is not None
        return self._replies.runs(floor[0]) or self._callbacks.runs(floor[0])

    def _check_drained(self) -> None:
        """Let a run that drains look again whether anything is unfinished."""
        if self._drained is not None:
            self._drained.set()

    def _take(self, item: object) -> None:
        if type(item) is TurnInfo and (event := self._intake.take_due(item)) is not None:
            if self._recording is not None and self._recording.frames:
                self._recording.received(item)
            self._dispatcher.feed(event, item)
            return
        message, steps = self._intake.take(item)
        if self._recording is not None and message is not None:
            self._recording.received(message)
        turn = message if type(message) is TurnInfo else None
        for step in steps:
            if type(step) is Surprise:
                self._dispatcher.note(step.kind, step.detail)
            elif not self._dispatcher.running:
                return  # a callback has hung up
            elif type(step) is Initiate:
                self._dispatcher.initiate(step, None)
            else:
                self._dispatcher.feed(step, turn)

    # The host -----------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Say that the caller is gone, so that `run` returns, although its source goes on.

        No more answers are begun: drafts and replies that wait for their first sound are cancelled, turns are dropped.
        A reply that is heard ends here, `interrupted`. `respond`, `speak` and async callbacks are cancelled where they
        stand, whoever calls this among them; what stands in `must_finish` ends, in its own time. The source is read no
        further, and closed if it is an async generator.

        To be called from anywhere in the session's thread, and more than once; before `run`, that ends as soon as it
        begins, and after it nothing happens.

        Raises:
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("hang_up")
        self._hung_up = True
        tasks = self._dispatcher.tasks
        if tasks is not None and not self._machine.closed:
            self._dispatcher.close()
        if tasks is not None:
            tasks.cancel_scope.cancel()

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
        self._thread.check("protect")
        self._dispatcher.feed_if_running(Protect(reply, on))

    def discard_draft(self, reply: int, reason: str = "failed") -> None:
        """Say that the draft `reply` is no good, `failed` or `context_changed`: the turn will get a fresh one."""
        self._thread.check("discard_draft")
        self._dispatcher.feed_if_running(DraftDiscarded(reply, reason))

    def context_changed(self) -> None:
        """Say that what a draft may have been made from is no longer true: a draft there is now is discarded."""
        self._thread.check("context_changed")
        if self._machine.draft is not None:
            self.discard_draft(self._machine.draft, CancelReason.CONTEXT_CHANGED)

    def interrupt(self, text: str = "") -> int | None:
        """Let the user take the floor by other means than speech, such as a key, an operator or typed text.

        A reply that is heard is stopped as by barge-in, one that is about to be heard is cancelled; a protected one is
        left alone. Before and after the run nothing happens.

        Args:
            text: what the user typed, a turn of its own that is answered like any other, after a protected reply; by
                default nothing. If they are speaking just then, their turn is over and its words are answered with it.

        Returns:
            The number of the turn that the text is; None without one.

        Raises:
            ConfigError: for a text that is no string.
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("interrupt")
        if not isinstance(text, str):
            raise ConfigError(f"interrupt({type(text).__name__}): must be what the user typed, a string")
        signals = self._dispatcher.feed(Interrupt(text)) if self._dispatcher.running else ()
        started = [signal.turn for signal in signals if isinstance(signal, TurnStarted)]
        return started[-1] if started and text else None

    def initiate(
        self, what: str | Respond | None = None, *, protected: bool = False, wait: bool = False
    ) -> int | None:
        """Let the agent speak unasked.

        It is refused while somebody has the floor, with a Cancel `floor_taken`; or, with `wait`, it waits until the
        floor is free. Those that wait get it in the order in which they came; one that a turn cancels before its first
        sound waits again, as the first, and then gets a new reply. What still waits at the end of the session is
        cancelled, `closed`.

        Args:
            what: the text to say, or an async function to call instead of `respond`, each time it gets the floor;
                without it, `respond` gets a reply to no turn.
            protected: whether the reply is not to be interrupted, False by default.
            wait: whether to wait where the floor is taken, False by default.

        Returns:
            The id of the reply. None if the floor is taken: then it is refused or, with `wait`, will come as a Commit
            with trigger `initiate`; a function given as `what` learns the id from its reply.

        Raises:
            LocalProtocolError: if the session is not running, or has no `speak` to say `what`, or if called from
                another thread.
        """
        self._thread.check("initiate")
        if not self._dispatcher.running:
            raise LocalProtocolError("initiate(): the session is not running; call it while run() is under way")
        if what is not None and not self._replies.runs_here:
            raise LocalProtocolError("initiate(what): this session has no speak; answer the Commit instead")
        if what is not None and not isinstance(what, str) and not callable(what):
            raise ConfigError(f"initiate({type(what).__name__}): must be a text or an async function")
        if self._interceptor is not None and callable(what):
            what = self._interceptor.responding(what)
        respond = saying(what) if isinstance(what, str) else what
        return self._dispatcher.initiate(Initiate(protected, wait), respond)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the idle clock while a tool runs: the silence is not the user's. May be nested."""
        self._thread.check("busy")
        self._busy += 1
        if self._busy == 1:
            self._replies.busy(True)
            self._dispatcher.feed_if_running(Busy(True))
        try:
            yield
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._replies.busy(False)
                self._dispatcher.feed_if_running(Busy(False))

    @property
    def history(self) -> list[ChatMessage]:
        """The conversation as chat messages: what the user said, and of the agent's replies what was heard."""
        return self._replies.history.messages()

    def record(self, fact: str, /, **fields: Any) -> None:
        """Add a fact of your own to the recording, such as `record("TokensUsed", reply=reply.id, tokens=213)`.

        Observers are told too (see `observe`); before and after the run nothing happens.

        Args:
            fact: its name.
            fields: what there is to know of it, as plain values; none may be called `at` or `fact`.

        Raises:
            LocalProtocolError: where it is recorded, for a fact without a name, and for fields that are no plain
                values, or called as the line's own; and if called from another thread.
        """
        self._thread.check("record")
        self._dispatcher.observers.fact(fact, fields)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on what happens, in the order in which it is decided and before any callback.

        Such as a `turnkit.metrics.Watch`; see `turnkit.telemetry`. What it raises is logged, and the call goes on.
        """
        self._thread.check("observe")
        self._dispatcher.observers.add(observer)

    def intercept(self, interceptor: Interceptor) -> None:
        """Put the interceptor between this session and its bot, before `run`; for kits that rehearse a bot."""
        self._interceptor = interceptor
        self._replies.intercept(interceptor)

        def signalled(signal: Signal | ReplyEnded) -> None:
            reply = self._replies.find(signal.reply) if isinstance(signal, (Speculate, Commit)) else None
            interceptor.signalled(signal, reply)

        self._callbacks.first(signalled)

    def remember(self, message: Mapping[str, Any]) -> None:
        """Add a message to the history, such as a tool's result: what has happened stays known, heard or not."""
        self._thread.check("remember")
        self._replies.history.add(message)

    def _report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        self._thread.check(_REPORTS[type(event)])
        if self._interceptor is not None:
            self._interceptor.reported(event)
        if self._dispatcher.running:
            self._replies.report(event)

    @property
    def user(self) -> UserState:
        """What the user is doing; once the session is over, they are listened to no more: listening."""
        return self._machine.user

    @property
    def floor(self) -> tuple[int, ReplyState] | None:
        """The reply that has the floor and its state: pending, audible or held; None once the session is over."""
        return None if self._machine.closed else self._machine.floor

    @property
    def last_reply(self) -> ReplyEnded | None:
        """How the last reply ended that was not cancelled, and what was heard of it; None while there is none."""
        return self._dispatcher.last_reply

    @property
    def began_at(self) -> float | None:
        """The monotonic second, of the clock of a signal's `at`, at which `run` began; None until then."""
        return self._dispatcher.began_at

    def elapsed(self, signal: Signal | ReplyEnded) -> float:
        """The seconds from the beginning of the call to a signal of it.

        Raises:
            LocalProtocolError: if it has not begun.
        """
        if self.began_at is None:
            raise LocalProtocolError("elapsed(): the session has not begun; call it with one of its signals")
        return signal.at - self.began_at
