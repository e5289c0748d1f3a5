"""The turn strategies that the service announces, each frame by itself."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit import Cancel, Commit, Speculate, TurnStarted
from turnkit.interop.pipecat_steps import Steps
from turnkit.testing import virtual_time
from turnkit.turns.events import CancelReason

pytest.importorskip("pipecat", reason="Pipecat has an environment of its own: .ci/interop")

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
)
from pipecat.turns.types import UserTurnSpeculation
from pipecat.turns.user_stop import UserTurnStoppedParams

from benchmarks.interop_pipecat_call import Call, FakeLLM
from turnkit.interop.pipecat_turns import TurnkitUserTurnStopStrategy

pytestmark = pytest.mark.anyio
DRAFT = Speculate(0, 0, "A table", 0.5, at=1.0)
COMMIT = Commit(0, 0, "A table", True, "model", at=2.0)


@pytest.fixture(params=["asyncio"])
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Pipecat runs on asyncio."""
    return virtual_time("asyncio")


class Aggregator:
    """Notes what the strategy wants of the user aggregator."""

    def __init__(self) -> None:
        self.steps = Steps()
        self.strategy = TurnkitUserTurnStopStrategy(self.steps)
        self.wants: list[str] = []
        self.strategy.add_event_handler("on_user_turn_inference_triggered", self._infer)
        self.strategy.add_event_handler("on_user_turn_speculation_cancelled", self._cancel)
        self.strategy.add_event_handler("on_user_turn_stopped", self._stop)

    async def _infer(self, _: object, speculation: UserTurnSpeculation | None) -> None:
        self.wants.append("answer" if speculation is None else f"draft: {speculation.text}")

    async def _cancel(self, _: object) -> None:
        self.wants.append("withdraw")

    async def _stop(self, _: object, params: UserTurnStoppedParams) -> None:
        self.wants.append("end, with the draft" if params.confirms_speculation else "end")

    async def take(self, *frames: Frame) -> list[str]:
        """What is wanted after these frames."""
        for frame in frames:
            await self.strategy.process_frame(frame)
        wants, self.wants = self.wants, []
        return wants


def drafted() -> EagerTranscriptionFrame:
    return EagerTranscriptionFrame("A table", "", "", result=DRAFT)


def said(commit: Commit = COMMIT) -> tuple[Frame, Frame]:
    return TranscriptionFrame("A table", "", "", result=commit, finalized=True), ProposedUserStoppedSpeakingFrame()


async def begun() -> Aggregator:
    """One that has begun a draft."""
    aggregator = Aggregator()
    aggregator.steps.put(TurnStarted(0, "A", at=0.5))
    aggregator.steps.put(DRAFT)
    assert await aggregator.take(drafted()) == ["draft: A table"]
    return aggregator


async def test_a_draft_that_holds_is_the_answer() -> None:
    """Nothing is asked again."""
    aggregator = await begun()
    assert await aggregator.take(*said()) == ["end, with the draft"]


async def test_a_draft_withdrawn_while_its_frame_was_on_the_way_is_not_begun() -> None:
    """The withdrawal has overtaken it."""
    aggregator = Aggregator()
    aggregator.steps.put(TurnStarted(0, "A", at=0.5))
    aggregator.steps.put(DRAFT)
    aggregator.steps.put(Cancel(0, 0, CancelReason.RESUMED, at=1.5))
    assert await aggregator.take(EagerEndOfTurnCancelFrame(), drafted()) == []


async def test_a_turn_with_other_words_is_asked_about_again() -> None:
    """And the LLM told once more to leave the draft, if it heard of it after its withdrawal."""
    aggregator = await begun()
    other = Commit(0, 1, "A table for two", False, "model", at=2.0)
    assert await aggregator.take(EagerEndOfTurnCancelFrame(), *said(other)) == ["withdraw", "answer", "end"]


@pytest.mark.parametrize("voids", ["tool", "interruption", "error", "context"])
async def test_a_draft_of_which_nothing_comes_is_made_again(voids: str) -> None:
    """Though its words are the final ones."""
    aggregator = await begun()
    frames: dict[str, tuple[Frame, list[str]]] = {
        "tool": (EagerEndOfTurnCancelFrame(), []),
        "interruption": (InterruptionFrame(), []),
        "error": (ErrorFrame("no capacity", processor=FakeLLM(Call())), ["withdraw"]),
        "context": (LLMMessagesAppendFrame([]), ["withdraw"]),
    }
    frame, wanted = frames[voids]
    assert await aggregator.take(frame) == wanted
    assert await aggregator.take(*said()) == ["withdraw", "answer", "end"]


async def test_an_error_of_something_else_leaves_a_draft_alone() -> None:
    """Such as the transport's."""
    aggregator = await begun()
    assert await aggregator.take(ErrorFrame("no camera"), *said()) == ["end, with the draft"]


async def test_a_turn_without_words_ends_without_an_answer() -> None:
    """At once, and not when a timeout is over."""
    assert await Aggregator().take(ProposedUserStoppedSpeakingFrame()) == ["end"]


async def test_a_turn_that_ends_otherwise_takes_its_draft_with_it() -> None:
    """By Pipecat's own watchdog."""
    aggregator = await begun()
    await aggregator.strategy.handle_user_turn_stopped()
    assert aggregator.wants == ["withdraw"]
    aggregator.wants.clear()
    assert await aggregator.take(*said()) == ["answer", "end"]
