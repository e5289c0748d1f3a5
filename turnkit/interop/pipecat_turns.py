"""The turn strategies that `TurnkitSTTService` announces: Pipecat's user aggregator runs them, turnkit decides."""

from __future__ import annotations

from dataclasses import dataclass

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMMessagesAppendFrame,
    LLMMessagesTransformFrame,
    LLMMessagesUpdateFrame,
    LLMSetToolsFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
)
from pipecat.services.llm_service import LLMService
from pipecat.turns.types import ProcessFrameResult, UserTurnSpeculation
from pipecat.turns.user_start import ExternalUserTurnStartStrategy
from pipecat.turns.user_stop import BaseUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies, UserTurnStrategies

from ..turns.events import Commit, Speculate
from .pipecat_steps import Steps

_CONTEXT_CHANGES = (
    LLMMessagesAppendFrame,
    LLMMessagesUpdateFrame,
    LLMMessagesTransformFrame,
    LLMSetToolsFrame,
)


@dataclass
class UserHasFloorFrame(ProposedUserStartedSpeakingFrame):
    """turnkit's proposal of a turn.

    Parameters:
        interrupts: whether whatever the bot is at has to stop; not if the turn was put off until the bot had finished.
    """

    interrupts: bool = True


class TurnkitUserTurnStartStrategy(ExternalUserTurnStartStrategy):
    """Opens a user turn when turnkit says that the user has the floor."""

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Open a turn, with or without an interruption."""
        if isinstance(frame, UserHasFloorFrame):
            await self.trigger_user_turn_started(enable_interruptions=frame.interrupts)
            return ProcessFrameResult.STOP
        result: ProcessFrameResult = await super().process_frame(frame)
        return result


class TurnkitUserTurnStopStrategy(BaseUserTurnStopStrategy):
    """Begins drafts and ends turns as turnkit's signals say, which come with the frames as their `result`.

    A draft that was withdrawn while its frame was on the way here is not begun: Pipecat's withdrawal is a system frame
    and overtakes what it withdraws. Nor is one kept of which something else has made nothing: a tool that it wanted to
    call, an error of the LLM, an interruption, messages that were added to the context meanwhile.

    Args:
        steps: the service's.
    """

    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps
        self._draft: int | None = None  # what the LLM is at, or has finished
        self._begun = False  # whether it was at any draft in this turn
        self._answered: Commit | None = None
        self._has_words = False

    @property
    def resolves_proposed_turn_stop_frames(self) -> bool:
        """Whether this strategy resolves proposals into turn stops: it does."""
        return True

    async def handle_user_turn_started(self) -> None:
        """Forget the turn before."""
        self._forget()

    async def handle_user_turn_stopped(self) -> None:
        """Forget the turn, and withdraw a draft that is left of it."""
        draft = self._draft
        self._forget()
        if draft is not None:
            await self.trigger_user_turn_speculation_cancelled()

    def _forget(self) -> None:
        self._draft, self._begun, self._answered, self._has_words = None, False, None, False

    async def process_frame(self, frame: Frame) -> ProcessFrameResult:
        """Take what the service has to say, and what makes a draft worthless."""
        if isinstance(frame, EagerTranscriptionFrame):
            await self._begin(frame)
        elif isinstance(frame, TranscriptionFrame):
            self._has_words = True
            if isinstance(frame.result, Commit):
                self._answered = frame.result
        elif isinstance(frame, ProposedUserStoppedSpeakingFrame):
            await self._end()
        elif self._draft is not None:
            await self._lose_draft(frame)
        return ProcessFrameResult.CONTINUE

    async def _begin(self, frame: EagerTranscriptionFrame) -> None:
        drafted = frame.result
        if isinstance(drafted, Speculate) and self._steps.draft == drafted.reply:
            self._draft, self._begun = drafted.reply, True
            await self.trigger_user_turn_inference_triggered(speculation=UserTurnSpeculation(text=frame.text))

    async def _lose_draft(self, frame: Frame) -> None:
        withdrawn = isinstance(frame, (EagerEndOfTurnCancelFrame, InterruptionFrame))
        failed = isinstance(frame, ErrorFrame) and isinstance(frame.processor, LLMService)
        if withdrawn or failed or isinstance(frame, (*_CONTEXT_CHANGES, UserStartedSpeakingFrame)):
            self._draft = None
            if not withdrawn:
                await self.trigger_user_turn_speculation_cancelled()

    async def _end(self) -> None:
        draft, answered = self._draft, self._answered
        begun, has_words = self._begun, self._has_words
        self._forget()
        if draft is not None and answered is not None and answered.speculative and answered.reply == draft:
            await self.trigger_user_turn_finalized(confirms_speculation=True)
            return
        if begun:
            # Once more: if the LLM had not yet heard of it when it was withdrawn, it is at it now.
            await self.trigger_user_turn_speculation_cancelled()
        if has_words:
            await self.trigger_user_turn_stopped()
        else:
            await self.trigger_user_turn_finalized()


def turnkit_strategies(steps: Steps) -> UserTurnStrategies:
    """The strategies that follow these steps."""
    strategies = ExternalUserTurnStrategies()
    strategies.start = [TurnkitUserTurnStartStrategy()]
    strategies.stop = [TurnkitUserTurnStopStrategy(steps)]
    return strategies
