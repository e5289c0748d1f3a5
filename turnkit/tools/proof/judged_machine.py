"""The judged machine: a turn machine whose every step is judged by a referee and repeated by a restored copy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf, nan, nextafter
from typing import Any

from ...errors import LocalProtocolError
from ...turns.events import Event, Signal, StreamRestored, Update
from ...turns.machine import TurnMachine
from ...turns.state import State
from .invariants import Violation
from .referee import Referee
from .referee_memory import RefereeMemory
from .scripted_policy import ScriptedPolicy

STEPS = 8  # wakes that may pass until silence has brought a machine to rest
_AHEAD = 2**40  # a turn_index that no connection has reached
_NO_EVENTS: tuple[Any, ...] = (None, StreamRestored, "Update")


class JudgedMachine:
    """A turn machine whose every step is judged by a `Referee` and repeated by a copy restored from a snapshot.

    All that judges raises `Violation`; `feed`, `wake` and `close` step the machine, all else leaves it as it was.

    Args:
        machine: its class.
        script: both of its policies.
        seconds: its other settings.

    Attributes:
        script: what the policies answer.
        machine: the machine that is judged.
        referee: who judges it.
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
        self._cut: State | None = None  # what the snapshot of the present state is restored to

    # Where it is ----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """The machine's own state; to be copied before the machine takes another step."""
        return self.machine.state

    def load(self, state: State, memory: RefereeMemory, cut: State | None = None) -> None:
        """Go to a state that was reached before.

        Args:
            state: the machine's; it is copied.
            memory: the referee's; it is copied.
            cut: what a snapshot of the state is restored to. Default None: not known yet.
        """
        self.machine.state = state.copy()
        self.referee.memory = memory.__copy__()  # type: ignore[attr-defined]  # msgspec does not declare it
        self._cut = cut

    def cut(self) -> State:
        """What a snapshot of the present state is restored to.

        Raises:
            Violation: it is another state.
        """
        if self._cut is None:
            data = self.machine.snapshot()
            try:
                restored = self._class.restore(data, **self._settings)
            except Exception as error:
                raise Violation(7, f"restoring a snapshot raised {type(error).__name__}") from error
            self._need(7, restored.snapshot() == data, "a restored machine has another snapshot")
            self._cut = restored.state
        return self._cut

    @contextmanager
    def _aside(self) -> Iterator[None]:
        """What is done within is done to copies of the state and the referee's memory, and is then forgotten."""
        state, memory, cut = self.state, self.referee.memory, self._cut
        self.load(state, memory, cut)
        try:
            yield
        finally:
            self.machine.state, self.referee.memory, self._cut = state, memory, cut

    def _need(self, invariant: int, holds: bool, otherwise: str) -> None:
        self.referee.judged[invariant] += 1
        if not holds:
            raise Violation(invariant, otherwise)

    # Steps ----------------------------------------------------------------------------------------------------------

    def feed(self, event: Event, at: float) -> tuple[Signal, ...]:
        """Feed the machine, judged: see `TurnMachine.feed`."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.feed(event, at)
        self.script.rewind(mark)
        return self._same(signals, twin.feed, event, at)

    def wake(self, at: float) -> tuple[Signal, ...]:
        """`TurnMachine.wake`, judged."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.wake(at)
        self.script.rewind(mark)
        return self._same(signals, twin.wake, at)

    def close(self, at: float) -> tuple[Signal, ...]:
        """`TurnMachine.close`, judged; after it nothing moves the machine any more."""
        twin, mark = self._copy(), self.script.position
        signals = self.referee.close(at)
        self.script.rewind(mark)
        self._same(signals, twin.close, at)
        self._refuses_events(at)
        self._need(8, self.machine.close(at) == (), "a closed machine gave signals")
        return signals

    def _refuses_events(self, at: float) -> None:
        before = self.machine.snapshot()
        for event in (StreamRestored(), Update(_AHEAD)):
            self._refused(f"{type(event).__name__} after close()", partial(self.machine.feed, event, at), before)

    def _copy(self) -> TurnMachine:
        self._twin.state = (self._cut or self.cut()).copy()
        self._cut = None
        return self._twin

    def _same(
        self, signals: tuple[Signal, ...], repeat: Callable[..., tuple[Signal, ...]], *step: Any
    ) -> tuple[Signal, ...]:
        try:
            repeated = repeat(*step)
        except Exception as error:
            raise Violation(7, f"a restored machine raised {type(error).__name__}") from error
        self._need(7, repeated == signals, "a restored machine gave other signals")
        self._need(7, self._twin.snapshot() == self.machine.snapshot(), "a restored machine went to another state")
        return signals

    # What must hold in every state ----------------------------------------------------------------------------------

    def rest(self) -> None:
        """Judge that silence alone brings it to rest, in a bounded number of wakes and of seconds."""
        with self._aside():
            self.referee.rest(STEPS, self._patience)

    def end(self) -> None:
        """Judge that `close()` here leaves nothing open."""
        with self._aside():
            self.close(max(self.referee.memory.at, 0.0))

    def stay_closed(self) -> None:
        """Judge that once closed it still refuses events when it is woken, as a host may who has not heard of it."""
        at = max(self.referee.memory.at, 0.0) + 1.0
        with self._aside():
            self.close(at)
            self._need(8, self.machine.wake(at) == (), "a closed machine gave signals")
            self._refuses_events(at)

    def misuse(self) -> None:
        """Judge that what a caller may not do raises LocalProtocolError and changes nothing."""
        machine, now, event = self.machine, self.referee.memory.at, StreamRestored()
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
        """Judge that a wake just short of the deadline finds nothing to do."""
        state, deadline = self.state, self.machine.deadline
        if deadline is None:
            return
        before, machine = self.machine.snapshot(), self.machine
        machine.state = copied = state.copy()
        try:
            signals = machine.wake(nextafter(deadline, -inf))
            copied.now = state.now
            copied.soonest = state.soonest  # may be moved up to the deadline, and need not be
            idle = not signals and machine.snapshot() == before
        finally:
            machine.state = state
        self._need(6, idle, "a wake before the deadline did something")

    def feed_late(self, event: Event, at: float) -> None:
        """Judge that an `event` `at` or after a deadline that nobody woke for comes to the same as wake, then event."""
        machine, twin, script = self.machine, self._twin, self.script
        state, mark = self.state, self.script.position
        machine.state, twin.state = state.copy(), state.copy()
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
            machine.state = state
        self._need(7, same, "an event after a deadline is not the same as the deadline, then the event")
