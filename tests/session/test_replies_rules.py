"""What must hold for the replies of a whole session, whatever Flux, the LLM, the voice and the host do, and whenever.

Hypothesis deals a script of events, minds and mouths that are slow or fail, and a moment at which the run may be cut
off; it all runs on virtual time, and a log of every signal, sound and effect, in order, is judged afterwards. All
times lie on a grid of 1/16 s, whose sums are exact: what can coincide does.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from math import inf
from typing import Any

import anyio
import pytest
import structlog
import trio
from hypothesis import HealthCheck, example, given, settings
from trio.testing import MockClock

from tests.support.effort import tries
from tests.support.session_judge import Judge
from tests.support.session_plans import Mind, Mouth, Plan, plans
from tests.support.session_world import World
from turnkit.testing import VirtualTimeLoop

FAILS_BEHIND_THE_END = Plan(
    settings={},
    steps=[("turn", [], "same", [0.0] * 4, 0.75)],
    minds=[Mind(0.0, 0.125, 4, fails_after=1, how="foreign", tool="", tool_after=0, tool_seconds=0.0, cleanup="late")],
    mouths=[Mouth(latency=0.0, word=0.125, fails_after=-1, returns_after=1)],
    meddling=[],
    cut=inf,
    drain=False,
    breaks=False,
    seed=0,
)
"""A mind that is cancelled by nobody while its words are heard, and cleans up until its reply has ended well."""


def play(backend: str, plan: Plan) -> World:
    """Run it on virtual time; trio's scheduler, which is random on purpose, is made to depend on the plan."""
    world = World(plan)
    if backend == "asyncio":
        # Not by anyio.run, so that nobody has told anyio what runs: as in most applications.
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            unseen: list[dict[str, Any]] = []
            runner.get_loop().set_exception_handler(lambda loop, context: unseen.append(context))
            runner.run(world.run())
            assert unseen == [], "nothing goes wrong where nobody looks"
    else:
        trio._core._run._r.seed(plan.seed)
        anyio.run(world.run, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    return world


@pytest.fixture
def reproducible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trio's order of tasks follows from the seed alone, and the failures that are planned do not fill the log."""
    monkeypatch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", True)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.usefixtures("reproducible")
def test_replies_keep_the_rules_whatever_happens(backend: str) -> None:
    """Any conversation: silent before the commit and after the end, one outcome, one answer, effects once, no leaks."""

    @settings(max_examples=tries(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(plan=plans)
    @example(plan=FAILS_BEHIND_THE_END)
    def any_conversation(plan: Plan) -> None:
        Judge(play(backend, plan)).judge()

    any_conversation()
    gc.collect()  # an unclosed stream tells now, and a warning is an error
