"""What a soak measures with, how it judges what it measured, and which plans it refuses."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import pytest

from tests.support.transports import anyio_backend
from turnkit.errors import ConfigError
from turnkit.timers import on_trio
from turnkit.tools.soak import Plan, soak
from turnkit.tools.soak.collector import THRESHOLDS, CollectorWatch
from turnkit.tools.soak.frame_clock import FrameClock
from turnkit.tools.soak.gauges import SETTLED_SECONDS, Gauges, Growth, Sample
from turnkit.tools.soak.plan import allow_descriptors
from turnkit.tools.soak.report import JUDGED_SECONDS, growth_finding
from turnkit.tools.soak.speech import FRAME_SECONDS

__all__ = ["anyio_backend"]  # over every transport

pytestmark = pytest.mark.anyio


def small(**changes: Any) -> Plan:
    return Plan(**{"sessions": 2, "seconds": 5.0, "call_seconds": 4.0, "processes": 0, "slices": 2, **changes})


# The figures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("leak", "grows"), [(0, False), (600, True)])
def test_growth_is_told_from_noise(leak: int, grows: bool) -> None:
    """Memory that goes up and down does not grow; 600 bytes a second among 50 MB do, 4 % in an hour."""
    gauges = Gauges()
    for at in range(1200):
        settling = 20_000 * max(0, SETTLED_SECONDS - at)  # is no growth
        gauges.keep(Sample(float(at), int(50e6 - settling + 30_000 * (at // 60 * 7 % 5) + leak * at), 90, 9))
    gauges.blocks = [(float(at), 5e5 + 300 * (at // 60 * 7 % 5) + leak * at / 100) for at in range(0, 1200, 60)]
    memory, objects, tasks, _ = gauges.growth(100.0, 1200.0)
    assert (memory.surely > 0.02) is (objects.surely > 0.02) is grows
    assert (memory.at_most <= 0.02) is (objects.at_most <= 0.02) is not grows
    assert memory.per_hour == pytest.approx(leak * 3600 / memory.mean, abs=0.01)
    assert (tasks.mean, tasks.per_hour) == (90, 0)
    assert (memory.begin, objects.begin) == (SETTLED_SECONDS, 100.0)
    assert memory.seconds > JUDGED_SECONDS


@pytest.mark.parametrize(
    ("grown", "holds", "said"),
    [
        (Growth("memory", 1e6, 0.01, 0.004, 600.0, 400.0), True, "+1.0% an hour, ± 0.8%; may be +2%"),
        (Growth("memory", 1e6, 0.01, 0.006, 600.0, 400.0), None, "not known to grow, but only a longer soak can tell"),
        (Growth("memory", 1e6, 0.04, 0.009, 600.0, 400.0), False, "+4.0% an hour, ± 1.8%; may be +2%"),
        (Growth("tasks", 99.0, 0.04, 0.009, 100.0, 900.0), True, "+4.0% an hour, ± 1.8%; may be +10%"),
        (Growth("memory", 1e6, 9.0, 0.1, 600.0, 200.0), None, "that takes more than 1,140 s"),
    ],
)
def test_growth_is_judged_as_surely_as_it_is_known(grown: Growth, holds: bool | None, said: str) -> None:
    """It grows if it surely does; what is not sure is said to be so, and so is what was too short to tell."""
    finding = growth_finding(grown, Plan(seconds=1200.0))
    assert finding.holds is holds
    assert finding.verdict == {True: "holds", False: "broken", None: "not judged"}[holds]
    assert said in finding.said
    assert ("longer" in finding.said) is (grown.spread == 0.006)


# What it measures with ----------------------------------------------------------------------------------------------


async def test_the_clock_ticks_for_each_caller_in_its_time() -> None:
    """Each frame's time once, spread among the callers; a caller that was held up is told of each tick it missed."""
    clock = FrameClock(3)
    began = anyio.current_time()
    times: dict[int, list[float]] = {0: [], 1: [], 2: []}

    async def call(caller: int) -> None:
        due = await clock.wait(caller, began)
        for number in range(1, 11):
            times[caller].append(anyio.current_time() - began)
            if number == 5:
                await anyio.sleep(0.2)
            assert await clock.wait(caller, due + number * FRAME_SECONDS) >= due + number * FRAME_SECONDS - 0.001

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(clock.run)
        async with anyio.create_task_group() as callers:
            for caller in times:
                callers.start_soon(call, caller)
        tasks.cancel_scope.cancel()
    for caller, at in times.items():
        first = (caller + 1) * FRAME_SECONDS / 3
        due = [first + number * FRAME_SECONDS for number in range(10)]
        due[5:7] = [due[4] + 0.2] * 2  # held up until then
        assert at == pytest.approx(due, abs=0.002)


def test_collections_are_counted_but_those_that_were_asked_for() -> None:
    """The watch's own is none of the program's."""
    watch = CollectorWatch()
    with watch.watching():
        watch.collect()
        assert watch.seen.number == 0
        gc.collect()
        gc.collect(0)
    gc.collect()
    assert (watch.seen.number, watch.seen.full) == (2, 1)
    assert 0 < watch.seen.longest <= watch.seen.seconds


async def test_the_collector_is_set_as_it_was_when_it_is_over() -> None:
    """While the calls are held it passes over what there was before, and comes less often."""
    before, during = gc.get_threshold(), []

    def note(_: object) -> None:
        during.append((gc.get_threshold(), gc.get_freeze_count() > 1000))

    await soak(small(tuned=True), on_slice=note)
    assert set(during) == {(THRESHOLDS, True)}
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sessions": 0}, "sessions=0: must be a whole number from 1"),
        ({"sessions": True}, "sessions=True"),
        ({"seconds": float("inf")}, "seconds=inf"),
        ({"call_seconds": -1.0}, "call_seconds=-1.0"),
        ({"faults": 2.0}, "rate=2.0"),
        ({"faults": float("nan")}, "rate 'nan'"),
        ({"transport": "aiohttp"}, "transport='aiohttp': must be 'websockets', 'picows' or None"),
        ({"named": ("stal",)}, "fault 'stal': no such fault"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    """Before anything is started, with the name, the value and the rule."""
    with pytest.raises(ConfigError) as refused:
        small(**changes)
    assert message in str(refused.value)


def test_open_files_are_checked_before_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is raised as far as it may be; what is not enough is said with what to do."""
    resource = pytest.importorskip("resource")
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert allow_descriptors(200) == 256
    assert allow_descriptors(Plan(sessions=1000).descriptors) == 2064
    assert raised == [(2064, 4096)]
    with pytest.raises(ConfigError, match=r"sessions: 5064 open files are needed .*\(ulimit -n 5064\)"):
        allow_descriptors(Plan(sessions=2500).descriptors)


@pytest.mark.sampled(3)
async def test_the_report_says_what_carried_it(request: pytest.FixtureRequest) -> None:
    """The fastest there is, or what was named; what does not work on this loop is refused before anything starts."""
    asked = request.node.callspec.params["anyio_backend"]
    report = await soak(small())
    assert report.transport == ("picows" if asked == "asyncio-picows" else "websockets")
    assert report.backend == ("trio" if on_trio() else "asyncio")
    assert 0 <= report.behind < 0.1
    assert (await soak(small(transport="websockets"))).transport == "websockets"
    if on_trio():
        with pytest.raises(ConfigError, match="transport='picows': works on asyncio only"):
            await soak(small(transport="picows"))
