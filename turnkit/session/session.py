"""The session: what a host calls, and the run of a conversation from its source to its end."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from uuid import uuid4

import anyio

from ..checks import check_seconds
from ..errors import ConfigError, LocalProtocolError, TurnkitError
from ..turns.chart import ReplyState, UserState
from ..turns.events import (
    Busy,
    CancelReason,
    Commit,
    DraftDiscarded,
    Initiate,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Protect,
    ReplyEnded,
    Signal,
    Speculate,
    TurnStalled,
)
from ..turns.machine import TurnMachine
from ..turns.policy import BargeInPolicy, Immediate, OnEager, SpeculationPolicy
from ..wire import TurnInfo
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

_IMMEDIATE = Immediate()
_ON_EAGER = OnEager()


class Session:
    """One conversation, from `run` to its end; everything is called from the event loop that runs it.

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

            self._recording = Recording(record, self.id, settings)
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
        """
        return self._callbacks.on(signal, callback)  # type: ignore[no-any-return]

    # The run ------------------------------------------------------------------------------------------------------

    async def run(self, source: AsyncIterable[object], *, drain: bool = True) -> None:
        """Hold the conversation until `source` ends; a session runs once.

        If the source raises, the stream counts as lost: what was said is still dealt with, and then the error is
        raised on. At the end whatever is open is closed.

        Args:
            source: yields messages (`FluxStream` does), turn events, StreamLost and StreamRestored, or whatever
                `turnkit.wire.decode` takes; what cannot be read becomes a Note. If it has a `send_force_end_turn`
                (`FluxStream` does), that is called for a turn that stalls; without it, or if it does not help, the
                machine ends such a turn by itself when `stall_grace` is over.
            drain: whether to wait, when the source has ended, for the async callbacks of the reply that has the floor
                and for the words of a turn that was lost with the stream, True by default. Without, callbacks that
                still run are cancelled.

        Raises:
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
                        dispatcher.feed(Busy(True))
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
        finally:
            dispatcher.observers.end()
        if failure is not None:
            raise failure

    async def _read(self, source: AsyncIterable[object]) -> Exception | None:
        """Take all that the source has to give; what it raises, if it does, is the loss of the stream."""
        self._source = source
        try:
            async for item in source:
                self._take(item)
        except Exception as error:
            reason = str(error) if isinstance(error, TurnkitError) else type(error).__name__
            for lost in self._intake.lose(reason):
                self._dispatcher.feed(lost)
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
            else:
                self._dispatcher.feed(step, turn)

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
        self._dispatcher.feed_if_running(Protect(reply, on))

    def discard_draft(self, reply: int, reason: str = "failed") -> None:
        """Say that the draft `reply` is no good, `failed` or `context_changed`: the turn will get a fresh one."""
        self._dispatcher.feed_if_running(DraftDiscarded(reply, reason))

    def context_changed(self) -> None:
        """Say that what a draft may have been made from is no longer true: a draft there is now is discarded."""
        if self._machine.draft is not None:
            self.discard_draft(self._machine.draft, CancelReason.CONTEXT_CHANGED)

    def initiate(self, what: str | Respond | None = None, *, protected: bool = False) -> int | None:
        """Let the agent speak unasked.

        Args:
            what: the text to say, or an async function to call instead of `respond`; without it, `respond` gets a
                reply to no turn.
            protected: whether the reply is not to be interrupted once it is heard, False by default.

        Returns:
            The id of the reply, or None if the floor is taken.

        Raises:
            LocalProtocolError: if the session is not running, or has no `speak` to say `what`.
        """
        if not self._dispatcher.running:
            raise LocalProtocolError("initiate(): the session is not running; call it while run() is under way")
        if what is not None and not self._replies.runs_here:
            raise LocalProtocolError("initiate(what): this session has no speak; answer the Commit instead")
        if self._interceptor is not None and callable(what):
            what = self._interceptor.responding(what)
        before = self._replies.initiative
        self._replies.initiative = saying(what) if isinstance(what, str) else what
        for signal in self._dispatcher.feed(Initiate(protected)):
            if isinstance(signal, Commit):
                return signal.reply
        # From inside a callback, the Commit of an earlier one may not have been carried out yet.
        self._replies.initiative = before
        return None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the idle clock while a tool runs: the silence is not the user's. May be nested."""
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
            fields: what there is to know of it, as plain values, under any names.

        Raises:
            LocalProtocolError: where it is recorded, for a fact without a name, and for fields that are no plain
                values.
        """
        self._dispatcher.observers.fact(fact, fields)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on what happens, in the order in which it is decided and before any callback.

        Such as a `turnkit.metrics.Watch`; see `turnkit.telemetry`. What it raises is logged, and the call goes on.
        """
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
        self._replies.history.add(message)

    def _report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        if self._interceptor is not None:
            self._interceptor.reported(event)
        if self._dispatcher.running:
            self._replies.report(event)

    @property
    def user(self) -> UserState:
        """What the user is doing."""
        return self._machine.user

    @property
    def floor(self) -> tuple[int, ReplyState] | None:
        """The reply that has the floor and its state: pending, audible or held."""
        return self._machine.floor
