"""Run of a soak, from its beginning to its report."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from functools import partial
from random import Random
from typing import Any

import anyio

from ...errors import ConnectionFailed, TurnkitError
from ...flux.transports import chosen_transport
from .call import SoakCall, Through
from .collector import Collections, tuned
from .frame_clock import FrameClock
from .gauges import Gauges, Slice
from .peer import PULSE_SECONDS, Peer, SimulatorTask, in_own_process, in_this_process
from .plan import OUTAGE_SECONDS, Plan, allow_descriptors
from .report import Report, make_report
from .speech import Speech
from .tally import Tally

_LATE_SECONDS = 4 * PULSE_SECONDS  # in which the last faults of a call are told of after its end
_CUT_SECONDS = OUTAGE_SECONDS + 30.0  # after the end, in which every call must have ended
_REDIAL_SECONDS = 1.0
_PEER_END_SECONDS = 10.0


def unchanged(source: Any) -> Any:
    """The messages as they come."""
    return source


async def soak(
    plan: Plan,
    *,
    stop: anyio.Event | None = None,
    on_slice: Callable[[Slice], object] | None = None,
    on_progress: Callable[[Soak], object] | None = None,
    through: Through = unchanged,
) -> Report:
    """Hold the calls of a plan, and account for them.

    Args:
        plan: What to do.
        stop: Ends it early when set: no more is said, and what was said is still answered.
        on_slice: Called with each slice as it is over.
        on_progress: Called some times a second with the soak under way.
        through: Stands between client and session, an async iterable of messages in and one out; by default it changes
            nothing.

    Returns:
        The report.

    Raises:
        ConfigError: So many files may not be open, or the plan's transport does not work on this event loop.
        ConnectionFailed: The simulator does not come up, or dies.
    """
    chosen_transport(plan.transport)
    allow_descriptors(plan.descriptors)
    running = Soak(plan, through, stop or anyio.Event())
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(peer) for peer in running.peers()]
        stack.enter_context(tuned() if plan.tuned else nullcontext())
        stack.enter_context(running.gauges.collector.watching())
        return await running.run(peers, on_slice or unchanged, on_progress or unchanged)


class Soak:
    """A soak under way.

    Attributes:
        plan: What it is to do.
        tally: What it has come to so far.
        gauges: What it costs.
        slices: Slices that are over.
        live: Number of calls under way.
        flux_resident: Bytes of memory of each simulator, by its address.
    """

    def __init__(self, plan: Plan, through: Through, stop: anyio.Event) -> None:
        self.plan = plan
        self.tally = Tally()
        self.gauges = Gauges()
        self.slices: list[Slice] = []
        self.live = 0
        self._through = through
        self._stop = stop
        # Callers that wait for an answer go on speaking meanwhile: the script must not end before they hang up.
        self._speech = Speech(plan.length + OUTAGE_SECONDS + 10.0, plan.seed)
        self._clock = FrameClock(plan.sessions)
        self._began = 0.0
        self._calls: dict[str, SoakCall] = {}  # by the id of each of its connections
        self._early_faults: dict[str, list[tuple[str, float]]] = {}  # faults of connections that no call has had yet
        self._ended_calls: deque[tuple[float, SoakCall, bool]] = deque()
        self._flux_cpu: dict[str, float] = {}
        self.flux_resident: dict[str, int] = {}
        self._simulator_died = False  # a simulator has died

    @property
    def at(self) -> float:
        """Seconds since it began."""
        return anyio.current_time() - self._began

    def peers(self) -> list[AbstractAsyncContextManager[Peer]]:
        """The simulators, to be started."""
        seconds = self.plan.length + OUTAGE_SECONDS + 10.0
        tasks = [
            SimulatorTask(seconds, self.plan.seed, self.plan.fault_texts, self.plan.descriptors)
            for _ in range(max(1, self.plan.processes))
        ]
        processes = self.plan.processes
        return [in_own_process(task) if processes else in_this_process(task, self._speech) for task in tasks]

    def stopping(self) -> bool:
        """Whether no more is to be said."""
        return self._stop.is_set() or self.at >= self.plan.seconds

    async def run(
        self, peers: list[Peer], on_slice: Callable[[Slice], object], on_progress: Callable[[Soak], object]
    ) -> Report:
        """Run all of it, with simulators that are up."""
        self._began = anyio.current_time()
        async with anyio.create_task_group() as measuring, anyio.create_task_group() as listening:
            for peer in peers:
                listening.start_soon(self._listen, peer)
            measuring.start_soon(self._clock.run)
            measuring.start_soon(self.gauges.watch_lag)
            measuring.start_soon(self._forget_dialling)
            measuring.start_soon(self._measure, on_slice)
            measuring.start_soon(self._tell_progress, on_progress)
            deadline = self._began + self.plan.seconds + _CUT_SECONDS
            with anyio.CancelScope(deadline=deadline):
                async with anyio.create_task_group() as slots:
                    for number in range(self.plan.sessions):
                        slots.start_soon(self._hold_calls, number, peers[number % len(peers)].url)
            ended = self.at
            measuring.cancel_scope.cancel()
            for peer in peers:
                peer.end()
            listening.cancel_scope.deadline = anyio.current_time() + _PEER_END_SECONDS
        if self._simulator_died:
            raise ConnectionFailed("the simulator ended before the calls did; its standard error says why")
        self._close_ledgers(everything=True)
        early = self._stop.is_set()
        return make_report(self.plan, self.tally, self.gauges, self.slices, seconds=ended, early=early)

    # The sessions -------------------------------------------------------------------------------------------------

    async def _hold_calls(self, slot: int, url: str) -> None:
        """Hold one call after the other, until it is time; the first is joined midway, or all would speak at once."""
        begin = self.plan.length * Random(f"{self.plan.seed} {slot}").uniform(0.0, 0.8)
        await anyio.sleep(self.plan.ramp * slot / self.plan.sessions)
        number = 0
        while not self.stopping():
            number += 1
            if await self._hold_call(slot, f"{slot}.{number}", url, begin):
                begin = 0.0
            else:
                await anyio.sleep(_REDIAL_SECONDS)

    async def _hold_call(self, slot: int, number: str, url: str, begin: float) -> bool:
        """Hold one call; whether it came about."""
        call = SoakCall(
            number,
            self._speech,
            self.tally,
            self.plan,
            tick=partial(self._clock.wait, slot),
            begin=begin,
            stopping=self.stopping,
            connected=self._connected,
        )
        self.live += 1
        finished = False
        try:
            await call.hold(url, self._through)
            finished = call.failure is None
            self.tally.finished += finished
            if call.failure is not None:
                self.tally.failed[type(call.failure).__name__] += 1
        except TurnkitError as error:
            self.tally.not_connected[type(error).__name__] += 1
            return False
        except Exception as error:
            # Whatever it is, it is what a soak is there to find.
            self.tally.crashed[_error_name(error)] += 1
        except BaseException:
            self.tally.cut += 1
            raise
        finally:
            self.live -= 1
            self._ended_calls.append((self.at, call, finished))
        return True

    def _connected(self, request_id: str, call: SoakCall) -> None:
        self._calls[request_id] = call
        for name, second in self._early_faults.pop(request_id, ()):
            call.ledger.add_fault(request_id, name, second)

    # What the simulators say --------------------------------------------------------------------------------------

    async def _listen(self, peer: Peer) -> None:
        pulses: AsyncIterator[Any] = peer.pulses
        async for pulse in pulses:
            self._flux_cpu[peer.url] = pulse.cpu
            self.flux_resident[peer.url] = pulse.resident
            for strike in pulse.strikes:
                self.tally.faults[strike.name] += 1
                call = self._calls.get(strike.request_id)
                if call is not None:
                    call.ledger.add_fault(strike.request_id, strike.name, strike.second)
                elif strike.request_id:
                    self._early_faults.setdefault(strike.request_id, []).append((strike.name, strike.second))
            self._close_ledgers()
        if not peer.ending:
            self._simulator_died = True
            self._stop.set()

    def _close_ledgers(self, *, everything: bool = False) -> None:
        """Close the ledgers of calls that were over long enough for all their faults to be known."""
        while self._ended_calls and (everything or self._ended_calls[0][0] <= self.at - _LATE_SECONDS):
            _, call, finished = self._ended_calls.popleft()
            for request_id in call.ledger.request_ids:
                self._calls.pop(request_id, None)
            account = call.ledger.account(call.said_until)
            self.tally.add_account(account, call.ledger.turns_open, call.ledger.turns_wrong)
            if not finished:
                self.tally.fatal.update(call.ledger.fault_names)

    # What it costs ------------------------------------------------------------------------------------------------

    async def _forget_dialling(self) -> None:
        """What the first calls cost to begin is not what they cost."""
        await anyio.sleep(self.plan.ramp + 1.0)
        self.gauges.forget_lags()
        self.gauges.collector.seen = Collections()
        self.tally.behind = 0.0

    async def _measure(self, on_slice: Callable[[Slice], object]) -> None:
        """Sample, and close a slice after the other, until it is time."""
        length = self.plan.seconds / self.plan.slices
        pause = min(1.0, length / 4)
        self.gauges.cpu()
        after = self._counts()
        for number in range(self.plan.slices):
            begin, end = number * length, (number + 1) * length
            before, samples, lives = after, [], []
            while self.at < end - pause / 2 and not self._stop.is_set():
                await anyio.sleep(min(pause, max(0.0, end - self.at)))
                samples.append(self.gauges.sample(self.at))
                lives.append(self.live)
            if not samples:
                return
            after = self._counts()
            spans = max(1e-9, samples[-1].at - begin)
            live = sum(lives) / len(lives)
            over = Slice(
                begin,
                samples[-1].at,
                live,
                sum(sample.resident for sample in samples) / len(samples),
                sum(sample.tasks for sample in samples) / len(samples),
                sum(sample.descriptors for sample in samples) / len(samples),
                self.gauges.cpu(),
                after[4] - before[4],
                live * spans,
                *self.gauges.take_lags(),
                self.tally.behind,
                *(int(after[at] - before[at]) for at in range(4)),
            )
            self.slices.append(over)
            on_slice(over)
            self.gauges.hold(self.at)
            await anyio.sleep(pause)
            # What was late until now was so because of that collection.
            self.gauges.lags.clear()
            self.tally.behind = 0.0

    def _counts(self) -> tuple[float, ...]:
        tally = self.tally
        return tally.messages, tally.turns, tally.faults.total(), tally.reconnects, sum(self._flux_cpu.values())

    async def _tell_progress(self, on_progress: Callable[[Soak], object]) -> None:
        while True:
            on_progress(self)
            await anyio.sleep(PULSE_SECONDS)


def _error_name(error: BaseException) -> str:
    """The names of what went wrong, and where: no message, which may quote what was said."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}"
    return f"{type(error).__name__}{where}"
