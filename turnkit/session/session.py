"""The session: what a host calls, from any of its callbacks, and what it may know."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from inspect import iscoroutinefunction
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload
from uuid import uuid4

from ..checks import check_seconds, shown
from ..errors import ConfigError, LocalProtocolError
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
    TurnStarted,
)
from ..turns.machine import TurnMachine
from ..turns.policy import BargeInPolicy, Immediate, OnEager, SpeculationPolicy
from ..turns.words import has_words
from ..wire import FluxOptions
from .callables import check_async
from .callbacks import KINDS, Callback, S, check_kind
from .default_record import DEFAULT_RECORD
from .dispatcher import Dispatcher
from .failures import HostFailure, ReportedPolicy
from .history import Message as ChatMessage
from .loop_thread import LoopThread
from .observers import Observer
from .reply import Respond, check_heard, check_reply, saying
from .run import Run

if TYPE_CHECKING:
    from ..speaking import Speak
    from ..trace import Recorder
    from .interceptor import Interceptor
    from .recording import Recording
    from .signal_stream import SignalStream

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")


_REPORTS: dict[type, str] = {
    PlaybackStarted: "playback_started",
    PlaybackAdvanced: "playback_advanced",
    PlaybackFinished: "playback_finished",
}


class Session:
    """One conversation, from `run` to its end; everything is called in the thread of the event loop that runs it.

    While it runs, what is called in another thread raises LocalProtocolError and changes nothing; there is
    `call_from_thread` for that. So does what is called from a policy or an observer, but for `record`.

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
            default; then the reply has failed and the floor is free. None for ever. Nothing bounds the replies that
            your callbacks run, as nobody else knows how long those may take: report the end of each in any case.
        silence_timeout: how long a reply that has the floor may then go without a sound and without words, 20 by
            default; then it has failed. The time stands still in `busy`, in `must_finish` and while a playback is held;
            a voice that reports nothing has the time its words take besides. None for ever.
        drain_timeout: how long `run` may wait, once the source has ended, for what is under way, 60 by default; then
            it is cancelled, but for what stands in `must_finish`. None for ever.
        id: the name of the conversation in logs and in the keys of its replies; random by default.
        record: where the call is recorded: a file that does not exist yet, a directory ("calls/", made if it is not
            there), or a `turnkit.trace.Recorder`; see `turnkit.trace` for what is in it. A disk that fails is logged,
            and the call goes on. None, the default, records nothing.
        audio: whether the recording keeps what is sent to Flux too, as a WAV file beside the trace, False by default;
            for raw encodings, and sources that say what they send, as `FluxStream` does. What a `Recorder` is to keep
            it is told itself.
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
        barge_in: BargeInPolicy = Immediate(),
        speculation: SpeculationPolicy = OnEager(),
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
        audio: bool = False,
        options: FluxOptions | None = None,
    ) -> None:
        if respond is not None:
            check_async("respond", respond, "reply")
        if speak is not None:
            check_async("speak", speak, "reply", "chunks", "playback")
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
        thread = LoopThread()
        self._machine = TurnMachine(**{**settings, **self._reported(thread, barge_in, speculation)})
        self.id = uuid4().hex if id is None else id
        recording: Recording | None = None
        record = DEFAULT_RECORD.get() if record is None else record
        if audio and record is None:
            raise ConfigError("audio=True: is kept beside a recording, and record=None")
        if record is not None:
            from .recording import Recording  # and what a recorder needs: only for those who record

            recording = Recording(record, self.id, settings, options, audio=audio)
        self._run = Run(self.id, recording, inf if drain_timeout is None else drain_timeout)
        self._dispatcher = self._run.dispatcher = Dispatcher(
            self.id,
            self._machine,
            recording,
            respond,
            speak,
            thread=thread,
            reply_timeout=reply_timeout,
            silence_timeout=silence_timeout,
            settled=self._run.look_again,
        )
        self._replies = self._dispatcher.replies
        self._callbacks = self._dispatcher.callbacks
        self._thread = thread
        self.notes = self._dispatcher.notes
        self._interceptor: Interceptor | None = None

    def __repr__(self) -> str:
        began = self._dispatcher.tasks is not None
        state = "running" if self._dispatcher.running else "ended" if began else "not run yet"
        floor = "nobody" if self.floor is None else f"reply {self.floor[0]} ({self.floor[1]})"
        return f"<Session {self.id} {state}: the user is {self.user}, {floor} has the floor>"

    def _reported(self, thread: LoopThread, barge_in: BargeInPolicy, speculation: SpeculationPolicy) -> dict[str, Any]:
        """The policies as the machine gets them: what those of the host raise is told, and not only noted."""
        policies: dict[str, Any] = {"barge_in": barge_in, "speculation": speculation}
        return {
            name: ReportedPolicy(policy, self._policy_failed, thread)
            for name, policy in policies.items()
            # What is no policy the machine refuses; these two raise nothing.
            if type(policy) not in (Immediate, OnEager)
            if callable(policy) and not isinstance(policy, type) and not iscoroutinefunction(policy)
        }

    def _policy_failed(self, policy: object, error: BaseException) -> None:
        self._dispatcher.policy_failed(policy, error)

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
            raise ConfigError(f"limit={shown(limit)}: must be a whole number above zero")
        for kind in kinds:
            check_kind("signals", kind)
        return self._dispatcher.stream(frozenset(kinds or KINDS), limit)

    def on_error(self, callback: Callable[[HostFailure], object]) -> Callable[[HostFailure], object]:
        """Call `callback(failure)` with whatever your own functions raise: for an error tracker, or a traceback.

        They are `respond`, `speak`, callbacks, observers and policies. The call goes on, and the failure is in the log
        and in a Note besides; here is the exception itself. What an `on_error` callback raises is only logged.

        Args:
            callback: a plain function, not async. Any number of them, called in the order of their registration.

        Returns:
            The callback, so that this can be a decorator.

        Raises:
            ConfigError: for what cannot be called so.
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("on_error")
        return self._callbacks.on_error(callback)  # type: ignore[no-any-return]

    # The run ------------------------------------------------------------------------------------------------------

    def run(self, source: AsyncIterable[object], *, drain: bool = True) -> Coroutine[Any, Any, None]:
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
            ConfigError: for a source that is no async iterable; nothing was begun.
            FluxError: if the last that `source` had to tell was an Error of Flux.
            LocalProtocolError: if the session has been run before.
        """
        # Not a coroutine around a coroutine: that would cost each call a third of a kilobyte.
        return self._run.hold(source, drain=drain)

    # The host -----------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """Say that the caller is gone, so that `run` returns, although its source goes on.

        No more answers are begun: drafts and replies that wait for their first sound are cancelled, turns are dropped.
        A reply that is heard ends here, `interrupted`; for last words that are to be `finished`, call its `end_speech`
        and await its `heard_so_far` before. `respond`, `speak` and async callbacks are cancelled where they
        stand, whoever calls this among them; what stands in `must_finish` ends, in its own time. The source is read no
        further, and closed if it is an async generator.

        To be called from anywhere in the session's thread, and more than once; before `run`, that ends as soon as it
        begins, and after it nothing happens.

        Raises:
            LocalProtocolError: if called from another thread.
        """
        self._thread.check("hang_up")
        self._run.hang_up()

    def playback_started(self, reply: int) -> None:
        """Report that the first sound of `reply` was heard. Late reports, of a reply that is over, change nothing.

        Raises:
            LocalProtocolError: if it is no number of a reply, or if called from another thread, as for all reports.
        """
        self._report(PlaybackStarted(reply))

    def playback_advanced(self, reply: int, heard: str) -> None:
        """Report what of `reply` has been heard so far.

        Of the reply that was interrupted last, what was heard in all may still be told after BargeIn: some players know
        it only once they have stopped. It stands in `history` and `last_reply` then, and changes nothing else.

        Raises:
            LocalProtocolError: if it is no number of a reply, or `heard` no text.
        """
        self._report(PlaybackAdvanced(reply, heard))

    def playback_finished(self, reply: int, *, failed: bool = False) -> None:
        """Report that the last sound of `reply` was heard, or that its answer is silence.

        Args:
            reply: its number, as Commit gave it.
            failed: whether it ended because something failed, such as your TTS: its outcome is `failed`, and what it
                was to answer is still unanswered if nothing of it was heard. Default False.

        Raises:
            LocalProtocolError: for what is no number of a reply, or if called from another thread.
        """
        self._report(PlaybackFinished(reply, bool(failed)))

    def protect(self, reply: int, on: bool = True) -> None:
        """Forbid (or, not `on`, allow again) that `reply` is interrupted; what is said over it is answered after it."""
        self._thread.check("protect")
        check_reply("protect", reply)
        self._dispatcher.feed_if_running(Protect(reply, on))

    def discard_draft(self, reply: int, reason: str = "failed") -> None:
        """Say that the draft `reply` is no good, by its `reason` (`failed`, `context_changed`): another follows."""
        self._thread.check("discard_draft")
        check_reply("discard_draft", reply)
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
        turns = [signal.turn for signal in signals if isinstance(signal, TurnStarted)]
        return turns[-1] if turns and has_words(text) else None

    def initiate(self, what: str | Respond | None = None, *, protected: bool = False, wait: bool = False) -> int | None:
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
            ConfigError: if `what` is neither text nor an async function.
            LocalProtocolError: if the session is not running, or has no `speak` to say `what`, or if called from
                another thread.
        """
        self._thread.check("initiate")
        if what is not None and not isinstance(what, str):
            if not callable(what):
                raise ConfigError(f"initiate({type(what).__name__}): must be the text to say, or an async function")
            check_async("what", what, "reply")
        if not self._dispatcher.running:
            raise LocalProtocolError("initiate(): the session is not running; call it while run() is under way")
        if what is not None and not self._replies.runs_here:
            raise LocalProtocolError("initiate(what): this session has no speak; answer the Commit instead")
        if self._interceptor is not None and callable(what):
            what = self._interceptor.responding(what)
        respond = saying(what) if isinstance(what, str) else what
        return self._dispatcher.initiate(Initiate(protected, wait), respond)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Hold the idle clock while a tool runs: the silence is not the user's. May be nested."""
        self._thread.check("busy")
        self._run.busy += 1
        if self._run.busy == 1:
            self._replies.busy(True)
            self._dispatcher.feed_if_running(Busy(True))
        try:
            yield
        finally:
            self._run.busy -= 1
            if self._run.busy == 0:
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
                values; and if called from another thread.
        """
        self._thread.check("record", changes=False)
        self._dispatcher.observers.fact(fact, fields)

    def observe(self, observer: Observer) -> None:
        """Tell `observer` from now on what happens, in the order in which it is decided and before any callback.

        Such as a `turnkit.metrics.Watch`; see `turnkit.telemetry`. What it raises is logged, and the call goes on.
        """
        self._thread.check("observe")
        self._dispatcher.observers.add(observer)

    def intercept(self, interceptor: Interceptor) -> None:
        """Put an `interceptor` between this session and its bot, before `run`; for kits that rehearse a bot."""
        self._interceptor = interceptor
        self._replies.intercept(interceptor)

        def signalled(signal: Signal | ReplyEnded) -> None:
            reply = self._replies.find(signal.reply) if isinstance(signal, (Speculate, Commit)) else None
            interceptor.signalled(signal, reply)

        self._callbacks.first(signalled)

    def call_from_thread(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call a function in the thread that runs the session, and wait for what it returns; for all other threads.

        Such as `session.call_from_thread(session.playback_finished, reply)`. In the session's own thread it is called
        at once.

        Args:
            function: what to call; not async.
            arguments: what to call it with, by position; for names, give a lambda.

        Returns:
            What it returns; what it raises is raised.

        Raises:
            ConfigError: if it is async.
            LocalProtocolError: if the session is not running, or ends before its turn has come: nothing was called.
        """
        return self._thread.call(function, *arguments)

    def remember(self, message: Mapping[str, Any]) -> None:
        """Add a message to the history, such as a tool's result: what has happened stays known, heard or not.

        Args:
            message: a chat message, which has a role; its content may be of any kind.

        Raises:
            LocalProtocolError: if it is no mapping, or has no role, or if called from another thread.
        """
        self._thread.check("remember")
        self._replies.history.add(message)

    def _report(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        name = _REPORTS[type(event)]
        self._thread.check(name)
        check_reply(name, event.reply)
        if isinstance(event, PlaybackAdvanced):
            check_heard(name, event.heard)
        if self._interceptor is not None:
            self._interceptor.reported(event)
        if self._dispatcher.running:
            if isinstance(event, PlaybackAdvanced):
                self._dispatcher.heard_after_all(event)
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
        """The seconds from the beginning of the call to a `signal` of it.

        Raises:
            LocalProtocolError: if it has not begun.
        """
        if self.began_at is None:
            raise LocalProtocolError("elapsed(): the session has not begun; call it with one of its signals")
        return signal.at - self.began_at
