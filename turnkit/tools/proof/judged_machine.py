"""A machine under every judgement there is: the referee's, that of its own copies, and that of misuse and silence."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf, nan, nextafter
from typing import Any

from ...errors import LocalProtocolError
from ...turns.events import Event, Signal, StreamRestored, Update
from ...turns.machine import TurnMachine
from .invariants import Violation
from .referee import Referee
from .referee_memory import RefereeMemory
from .scripted_policy import ScriptedPolicy

STEPS = 8  # wakes that may pass until silence has brought a machine to rest
_AHEAD = 2**40  # a turn_index that no connection has reached
_NO_EVENTS: tuple[Any, ...] = (None, StreamRestored, "Update")


class JudgedMachine:
    """A machine whose every step is judged by a `Referee` and repeated by a copy cut off before it.

    `machine` is its class, `script` its two policies, `seconds` its other settings. All that judges raises
    `Violation`; `feed`, `wake` and `close` step the machine, all else leaves it as it was.
    """

    def __init__(self, machine: type[TurnMachine], script: ScriptedPolicy, **seconds: float | None) -> None:
        self.script = script
        self._class = machine
        self._settings: dict[str, Any] = {
            "barge_in": script.barge_in,
            "speculation": script.speculation,
            **seconds,
        }
        names = ("hold_timeout", "lost_turn_grace", "stall_timeout", "stall_grace")
        self._patience = sum(seconds.get(name) or 0.0 for name in names) if set(names) <= set(seconds) else inf
        self.machine = machine(**self._settings)
        self._twin = machine(**self._settings)
        self.referee = Referee(self.machine)
        self._cut: Any = None  # what the snapshot of the present state is restored to

    # Where it is ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> Any:
        """The machine's own memory; to be copied, not kept."""
        return self.machine._s

    def load(self, state: Any, books: RefereeMemory, cut: Any = None) -> None:
        """Go to a state that was reached before; `cut` is what its snapshot is restored to, if that is known."""
        self.machine._s = state.__copy__()
        self.referee.books = books.__copy__()  # type: ignore[attr-defined]  # msgspec does not declare it
        self._cut = cut

    def cut(self) -> Any:
        """What the snapshot of the present state is restored to. Raises Violation if that is another state."""
        if self._cut is None:
            data = self.machine.snapshot()
            try:
                restored = self._class.restore(data, **self._settings)
            except Exception as error:
                raise Violation(7, f"restoring a snapshot raised {type(error).__name__}") from error
            self._need(7, restored.snapshot() == data, "a restored machine has another snapshot")
            self._cut = restored._s
        return self._cut

    def _need(self, invariant: int, holds: bool, otherwise: str) -> None:
        self.referee.judged[invariant] += 1
        if not holds:
            raise Violation(invariant, otherwise)

    # Steps ----------------------------------------------------------------------------------------------------------

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        """`TurnMachine.feed`, judged."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.feed(event, at)
        self.script.rewind(mark)
        return self._same(signals, lambda: twin.feed(event, at))

    def wake(self, at: float) -> tuple[Signal, ...]:
        """`TurnMachine.wake`, judged."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.wake(at)
        self.script.rewind(mark)
        return self._same(signals, lambda: twin.wake(at))

    def close(self, at: float) -> tuple[Signal, ...]:
        """`TurnMachine.close`, judged; after it nothing moves the machine any more."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.close(at)
        self.script.rewind(mark)
        self._same(signals, lambda: twin.close(at))
        self._refuses_events(at)
        self._need(8, self.machine.close(at) == (), "a closed machine gave signals")
        return signals

    def _refuses_events(self, at: float) -> None:
        before = self.machine.snapshot()
        for event in (StreamRestored(), Update(_AHEAD)):
            self._refused(f"{type(event).__name__} after close()", partial(self.machine.feed, event, at), before)

    def _copy(self) -> TurnMachine:
        self._twin._s = self.cut().__copy__()
        self._cut = None
        return self._twin

    def _same(self, signals: tuple[Signal, ...], repeat: Callable[[], tuple[Signal, ...]]) -> tuple[Signal, ...]:
        try:
            repeated = repeat()
        except Exception as error:
            raise Violation(7, f"a restored machine raised {type(error).__name__}") from error
        self._need(7, repeated == signals, "a restored machine gave other signals")
        self._need(7, self._twin.snapshot() == self.machine.snapshot(), "a restored machine went to another state")
        return signals

    # What must hold in every state ----------------------------------------------------------------------------------

    def rest(self) -> None:
        """Silence alone brings it to rest, in a bounded number of wakes and of seconds."""
        state, books = self.state, self.referee.books
        self.load(state, books)
        try:
            self.referee.rest(STEPS, self._patience)
        finally:
            self.machine._s, self.referee.books, self._cut = state, books, None

    def end(self) -> None:
        """`close()` here leaves nothing open."""
        state, books = self.state, self.referee.books
        self.load(state, books, self._cut)
        try:
            self.close(max(books.at, 0.0))
        finally:
            self.machine._s, self.referee.books, self._cut = state, books, None

    def stay_closed(self) -> None:
        """A machine that was closed and is woken, as a host may that has not heard of it, still refuses events."""
        state, books = self.state, self.referee.books
        self.load(state, books, self._cut)
        at = max(books.at, 0.0) + 1.0
        try:
            self.close(at)
            self._need(8, self.machine.wake(at) == (), "a closed machine gave signals")
            self._refuses_events(at)
        finally:
            self.machine._s, self.referee.books, self._cut = state, books, None

    def misuse(self) -> None:
        """What a caller may not do raises LocalProtocolError and changes nothing."""
        machine, now, event = self.machine, self.referee.books.at, StreamRestored()
        before, then = machine.snapshot(), max(now, 0.0)
        for thing in _NO_EVENTS:
            self._refused(f"feed of {thing!r}", partial(machine.feed, thing, then), before)
        for at in (nan, inf, -inf, nextafter(now, -inf), now - 1.0):
            self._refused(f"feed at {at!r}", partial(machine.feed, event, at), before)
            self._refused(f"wake at {at!r}", partial(machine.wake, at), before)
            self._refused(f"close at {at!r}", partial(machine.close, at), before)

    def _refused(self, what: str, misuse: Callable[[], object], before: bytes) -> None:
        try:
            misuse()
        except LocalProtocolError:
            self._need(8, self.machine.snapshot() == before, f"{what} changed something")
        except Exception as error:
            raise Violation(8, f"{what} raised {type(error).__name__}") from error
        else:
            raise Violation(8, f"{what} was taken")

    def wake_early(self) -> None:
        """A wake just short of the deadline finds nothing to do."""
        state, deadline = self.state, self.machine.deadline
        if deadline is None:
            return
        before, machine = self.machine.snapshot(), self.machine
        machine._s = state.__copy__()
        try:
            signals = machine.wake(nextafter(deadline, -inf))
            machine._s.now = state.now
            machine._s.soonest = state.soonest  # may be moved up to the deadline, and need not be
            idle = not signals and machine.snapshot() == before
        finally:
            machine._s = state
        self._need(6, idle, "a wake before the deadline did something")

    def feed_late(self, event: Event, at: float) -> None:
        """An event at or after a deadline that nobody woke the machine for comes to the same as wake, then event."""
        machine, twin, script = self.machine, self._twin, self.script
        state, mark = self.state, self.script.position
        machine._s, twin._s = state.__copy__(), state.__copy__()
        try:
            at_once = machine.feed(event, at)
            script.rewind(mark)
            one_by_one = twin.wake(at) + twin.feed(event, at)
            same = at_once == one_by_one and machine.snapshot() == twin.snapshot()
        except Exception as error:
            raise Violation(
                8, f"feed of {type(event).__name__} after a deadline raised {type(error).__name__}"
            ) from error
        finally:
            machine._s = state
        self._need(7, same, "an event after a deadline is not the same as the deadline, then the event")
