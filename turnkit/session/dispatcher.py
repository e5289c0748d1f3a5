"""The dispatcher of a session: it feeds the machine, keeps its time, and carries out its signals in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from math import inf
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from ..timers import EARLY_SECONDS, Alarm, clock
from ..turns.events import (
    BargeIn,
    Cancel,
    Commit,
    Event,
    Initiate,
    Note,
    NoteKind,
    Outcome,
    PlaybackAdvanced,
    ReplyEnded,
    Signal,
    Speculate,
    TurnStalled,
    TurnUpdated,
)
from ..turns.machine import TurnMachine
from ..wire import TurnInfo
from .callbacks import Callbacks
from .failures import AT_POLICY, HostFailure, host_failure, log_failure
from .initiatives import Initiatives
from .loop_thread import LoopThread
from .observers import Observers
from .replies import PAUSE_OR_END, Replies
from .reply import Respond

if TYPE_CHECKING:
    from ..speaking import Speak
    from .recording import Recording
    from .signal_stream import SignalStream


_CARRIED_OUT = PAUSE_OR_END | {Note, Commit, Speculate, HostFailure, TurnStalled}
"""What there is something to do about, also where nobody has asked to hear of it."""


class Dispatcher:
    """The order of effects of one session; nothing is decided here.

    What happens is fed to the machine, then told to the observers, then its signals go to the callbacks and the
    replies, each signal to all of them before the next.

    Args:
        name: the session's.
        machine: the machine, which only this feeds.
        recording: the session's recording, if it has one.
        respond: what says the replies; None if the host runs them.
        speak: what plays the replies; None if the host runs them.
        thread: the one in which the conversation will run.
        reply_timeout: seconds, as for `Session`.
        silence_timeout: seconds, as for `Session`.
        settled: is called whenever all signals are carried out, and when an async callback is over.

    Attributes:
        notes: how often each kind of surprise has come.
        observers: those that are told what happens.
        callbacks: the host's, for its signals.
        replies: those that are under way.
        tasks: where callbacks and replies go on; None until the conversation begins.
        source: what is being read, as long as it is.
        thread: the one in which the conversation runs.
        began_at: the monotonic second at which the conversation began; None until then.
        over: whether the run has ended, and nothing goes on any more.
        last_reply: the end of the last reply that was not cancelled.
    """

    __slots__ = (
        "_alarm",
        "_clock",
        "_cut_off",
        "_dispatching",
        "_last",
        "_machine",
        "_name",
        "_queue",
        "_recording",
        "_settled",
        "_streams",
        "_telling",
        "began_at",
        "callbacks",
        "last_reply",
        "notes",
        "observers",
        "over",
        "replies",
        "source",
        "tasks",
        "thread",
    )

    def __init__(
        self,
        name: str,
        machine: TurnMachine,
        recording: Recording | None,
        respond: Respond | None,
        speak: Speak | None,
        *,
        thread: LoopThread,
        reply_timeout: float | None,
        silence_timeout: float | None,
        settled: Callable[[], None],
    ) -> None:
        self.notes: Counter[NoteKind] = Counter()
        self.thread = thread
        failed = self._host_failed  # one, and not one each: a process may hold thousands of sessions
        self.observers = Observers(recording, failed, thread)
        self.callbacks = Callbacks(failed, settled)
        self.replies = Replies(
            name,
            machine,
            respond,
            speak,
            feed=self.feed_if_running,
            failed=failed,
            ended=self._reply_ended,
            fact=self.observers.fact,
            thread=self.thread,
            reply_timeout=reply_timeout,
            silence_timeout=silence_timeout,
        )
        self.tasks: TaskGroup | None = None
        self.began_at: float | None = None
        self.last_reply: ReplyEnded | None = None
        self._name = name
        self._machine = machine
        self._recording = recording
        self._settled = settled
        self._queue: list[Signal | ReplyEnded | HostFailure] = []  # to be carried out, in this order
        self._dispatching = self._telling = False
        self.over = False
        self.source: object = None
        self._streams: tuple[SignalStream, ...] = ()
        self._cut_off = False  # whether the replies that the close left were ended
        self._alarm: Alarm | None = None
        self._clock: Callable[[], float] = anyio.current_time
        self._last = -inf

    @property
    def running(self) -> bool:
        """Whether the conversation has begun and is not over."""
        return self.tasks is not None and not self._machine.closed

    # The conversation ---------------------------------------------------------------------------------------------

    def begin(self, source: object) -> None:
        """Before anything else, where the async library runs: the clock, the alarm, and the recording of `source`."""
        self.thread.begin()
        self.source = source
        self._clock = clock()
        self.began_at = self._now()
        self._alarm = Alarm(self._wake)
        if self._recording is not None:
            self._recording.begin(source, self._now, self._alarm)
        self.observers.begin(self._now)

    def join(self, tasks: TaskGroup) -> None:
        """Let what goes on by itself do so in these tasks."""
        self.tasks = self.callbacks.tasks = self.replies.tasks = tasks

    def start(self) -> None:
        """The machine's time begins."""
        assert self._alarm is not None
        assert self.tasks is not None
        self._dispatch(self._pass_time(self._now()))
        if self._alarm.needs_task:
            self.tasks.start_soon(self._alarm.keep)
        self._set_alarm()

    def close(self) -> None:
        """Close the machine, and end what is under way, as soon as what was decided before is carried out."""
        signals: tuple[Signal, ...] = ()
        if not self._machine.closed:
            now = self._now()
            signals = self._machine.close(now)
            self.observers.closed(now, signals)
        self._dispatch(signals)
        if self._alarm is not None:
            self._alarm.stop()

    def end(self) -> None:
        """The conversation is over, and nothing goes on any more."""
        self.thread.end()
        self.observers.end()
        self.over = True
        for stream in self._streams:
            stream.end()

    def unfinished(self) -> bool:
        """Whether something of this conversation is under way that will come to an end by itself."""
        if self._machine.closed:
            return False
        floor = self._machine.floor
        if floor is None:
            return self._machine.suspended is not None
        return self.replies.runs(floor[0]) or self.callbacks.runs(floor[0])

    def stream(self, kinds: frozenset[type[Signal | ReplyEnded]], limit: int) -> SignalStream:
        """A stream of the signals of these kinds, from now on; see `Session.signals`."""
        from .signal_stream import SignalStream  # only for those who read one

        stream = SignalStream(self._name, limit, self._close_stream)
        if self.over:
            stream.end()
            return stream
        self._streams += (stream,)
        for kind in kinds:
            self.callbacks.on(kind, stream.put)
        return stream

    def _close_stream(self, stream: SignalStream) -> None:
        self._streams = tuple(other for other in self._streams if other is not stream)
        self.callbacks.remove(stream.put)

    # Events in ----------------------------------------------------------------------------------------------------

    def feed(self, event: Event, message: TurnInfo | None = None) -> tuple[Signal, ...]:
        """Feed the machine an event, which came with `message` if Flux sent it, and carry out what it answers."""
        now = self._clock()
        if now < self._last:
            now = self._last
        self._last = now
        signals = self._machine.feed(event, now)
        if self.observers.present:
            self.observers.fed(now, event, signals, message)
        # Most messages bring nothing, or words that changed and nobody who wants to hear of it.
        if self._queue:
            # A reply has just ended; it is told of before what follows from it.
            self._dispatch(signals)
        elif signals and (
            len(signals) > 1 or type(signals[0]) is not TurnUpdated or TurnUpdated in self.callbacks.registered
        ):
            self._dispatch(signals)
        self._set_alarm()
        return signals

    def initiate(self, event: Initiate, respond: Respond | None) -> int | None:
        """Feed the machine an initiative, and know before its answer is carried out what the reply is to say.

        Returns:
            The reply's number; None if there is none, or not yet.
        """
        now = self._now()
        signals = self._machine.feed(event, now)
        if self.replies.initiatives is None:
            self.replies.initiatives = Initiatives()
        waits = event.wait and self._machine.waiting > 0
        reply = self.replies.initiatives.decided(event, respond, signals, waits=waits)
        if self.observers.present:
            self.observers.fed(now, event, signals, None)
        self._dispatch(signals)
        self._set_alarm()
        return reply

    def feed_if_running(self, event: Event) -> None:
        """Feed the machine an event, unless the conversation has not begun or is over."""
        if self.running:
            self.feed(event)

    def note(self, kind: NoteKind, detail: str) -> None:
        """Note a surprise of the session's own."""
        note = Note(kind, detail, at=self._now())
        self.observers.told(note)
        self._dispatch((note,))

    def _reply_ended(self, ended: ReplyEnded) -> None:
        if ended.outcome is not Outcome.CANCELLED:
            self.last_reply = ended
        self.observers.told(ended)
        self._queue.append(ended)

    def heard_after_all(self, event: PlaybackAdvanced) -> None:
        """Take what was heard of the reply that was interrupted last: who plays it knows only once it has stopped."""
        last = self.last_reply
        if (
            last is not None
            and last.reply == event.reply
            and last.outcome is Outcome.INTERRUPTED
            and not self.replies.runs_here
        ):
            self.last_reply = ReplyEnded(
                last.turn, last.reply, last.outcome, event.heard, last.reported, last.error, at=last.at
            )
            self.replies.history.agent_was_heard(event.reply, event.heard)

    # Signals out --------------------------------------------------------------------------------------------------

    def _dispatch(self, signals: Iterable[Signal | ReplyEnded | HostFailure]) -> None:
        """Carry out signals in order; what a callback's own report leads to comes after what is already there."""
        queue = self._queue
        queue.extend(signals)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while True:
                while queue:
                    signal = queue.pop(0)
                    kind = type(signal)
                    if kind in _CARRIED_OUT or kind in self.callbacks.registered:
                        self._carry_out(kind, signal)
                if not self._machine.closed or self._cut_off:
                    break
                # All that was decided is carried out; what is still heard ends here.
                self._cut_off = True
                self.replies.close()
        finally:
            self._dispatching = False
        self._settled()

    def _carry_out(self, kind: type, signal: Signal | ReplyEnded | HostFailure) -> None:
        if kind is Note:
            self.notes[signal.kind] += 1  # type: ignore[union-attr]
        elif kind is Commit or kind is Speculate:
            self.replies.begin_or_commit(signal)  # type: ignore[arg-type]
        elif kind is HostFailure:
            self._tell_failure(signal)  # type: ignore[arg-type]
            return
        callbacks = self.callbacks.registered.get(kind)
        if callbacks is not None:
            self.callbacks.call(callbacks, signal)  # type: ignore[arg-type]
        if kind is TurnStalled:
            self.callbacks.call((self._force_end_turn,), signal)  # type: ignore[arg-type]
        elif kind in PAUSE_OR_END:
            self._stop(signal)  # type: ignore[arg-type]

    def _stop(self, signal: Signal) -> None:
        """See that what the signal, one of `PAUSE_OR_END`, is about does not go on as before."""
        if type(signal) is Cancel or type(signal) is BargeIn:
            self.callbacks.cancel(signal.reply)
            if self.replies.initiatives is not None and type(signal) is Cancel:
                self.replies.initiatives.cancelled(signal)
        self.replies.pause_or_end(signal)

    def _force_end_turn(self, _: TurnStalled) -> Awaitable[object] | None:
        """Have Flux end a turn that goes nowhere, if the source can tell it to; the reader does not wait for that."""
        force = getattr(self.source, "send_force_end_turn", None)
        return None if force is None else force()

    def _host_failed(
        self, function: object, at: str, error: BaseException, *, reply: int | None = None, noted: bool = True
    ) -> None:
        """Report what a function of the host raised: logged, told, and noted; or, not `noted`, only counted."""
        detail = log_failure(self._name, function, at, error)
        self._queue_failure(function, at, error, reply)
        if noted:
            self.note(NoteKind.CALLBACK_FAILED, detail)
            return
        self.notes[NoteKind.CALLBACK_FAILED] += 1
        if self._queue and not self._dispatching:
            # Not here: it may be in the midst of telling observers what the machine has just decided.
            if self.tasks is not None and self.running:
                self.tasks.start_soon(self._deliver)
            else:
                self._dispatch(())

    def policy_failed(self, policy: object, error: BaseException) -> None:
        """Report what a policy raised, in the log and to `on_error`; the machine, which is just asking, notes it."""
        log_failure(self._name, policy, AT_POLICY, error)
        self._queue_failure(policy, AT_POLICY, error, None)

    def _queue_failure(self, function: object, at: str, error: BaseException, reply: int | None) -> None:
        # What goes wrong while a failure is told would be told for ever.
        if HostFailure in self.callbacks.registered and not self._telling:
            self._queue.append(host_failure(function, at, error, reply))

    def _tell_failure(self, failed: HostFailure) -> None:
        self._telling = True
        try:
            self.callbacks.tell(failed)
        finally:
            self._telling = False

    async def _deliver(self) -> None:
        self._dispatch(())

    # Time -------------------------------------------------------------------------------------------------------------

    def _set_alarm(self) -> None:
        deadline = self._machine.deadline
        if deadline is not None and self._alarm is not None:
            self._alarm.bring_forward(deadline)

    def _wake(self) -> None:
        """The alarm has rung: perhaps for a deadline that has moved on since, or a tick of the clock early."""
        now, deadline = self._now(), self._machine.deadline
        if deadline is not None and now + EARLY_SECONDS >= deadline and not self._machine.closed:
            # The deadline's own time, if the clock is a tick short of it: to wait for it might take for ever where
            # time only passes when nobody has anything to do.
            self._last = now = max(now, deadline)
            self._dispatch(self._pass_time(now))
        self._set_alarm()
        if self._recording is not None:
            self._recording.tick(now)

    def _pass_time(self, now: float) -> tuple[Signal, ...]:
        signals = self._machine.wake(now)
        self.observers.woken(now, signals)
        return signals

    def _now(self) -> float:
        """The clock, which for the machine never goes back."""
        self._last = max(self._clock(), self._last)
        return self._last
