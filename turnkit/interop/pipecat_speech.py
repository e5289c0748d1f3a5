"""What the bot says, as Pipecat tells it, reported to the session: whose sound it is, and when an answer is over."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from ..errors import LocalProtocolError
from ..session import Session
from ..turns.chart import ReplyState
from ..turns.events import Commit
from .pipecat_steps import INITIATE


class BotSpeech:
    """The bot's speech in one call.

    Pipecat tells only that the bot began or stopped to speak. What follows a Commit is its reply; all else, such as a
    greeting, is an initiative of the agent's, and if the floor is taken just then, nobody's.

    Args:
        session: the call's.
        protect_greeting: whether what is said before the first answer is protected.
        answer_timeout: after how many seconds without a sound an answer has failed; the time stands still while a
            tool runs.
    """

    __slots__ = (
        "_answer_timeout",
        "_answered",
        "_busy",
        "_calls",
        "_clock",
        "_protect_greeting",
        "_session",
        "_spoken",
        "_tool_turn",
        "muted",
        "speaking",
    )

    def __init__(self, session: Session, *, protect_greeting: bool, answer_timeout: float) -> None:
        self._session = session
        self._protect_greeting = protect_greeting
        self._answer_timeout = answer_timeout
        self._answered = False
        self._spoken: int | None = None  # the reply that is heard, if it is anybody's
        self._calls: set[str] = set()
        self._busy = ExitStack()
        self._tool_turn = False  # the response that is under way has called a tool: another follows it
        self._clock: asyncio.TimerHandle | None = None
        self.speaking = False
        self.muted = False  # the user is: what they say gets no answer

    def started(self) -> None:
        """The bot is heard from now on."""
        if self.speaking:
            return
        self.speaking = True
        floor = self._session.floor
        if floor is None:
            protected = self._protect_greeting and not self._answered
            try:
                self._spoken = self._session.initiate(protected=protected)
            except LocalProtocolError:
                self._spoken = None  # before or after the call
        else:
            self._spoken = floor[0]
        if self._spoken is not None:
            self._stop_clock()
            self._session.playback_started(self._spoken)

    def stopped(self) -> None:
        """The bot is not heard any more."""
        self.speaking = False
        if self._spoken is not None:
            reply, self._spoken = self._spoken, None
            self._session.playback_finished(reply)  # late, if it was interrupted

    def answer(self, commit: Commit) -> None:
        """An answer was asked for, or the agent has taken the floor of its own accord."""
        if commit.trigger != INITIATE:
            self._answered = True
            self._tool_turn = False
            if self.muted:
                self._session.playback_finished(commit.reply)
                return
        self._start_clock(commit.reply)

    def said(self) -> None:
        """A response of the LLM is at its end, and all of it was heard; if nothing was, that was the answer."""
        if self._tool_turn:
            self._tool_turn = False
        elif not self._calls:
            self._end_pending(failed=False)

    def failed(self) -> None:
        """The LLM or the voice reports an error."""
        self._end_pending(failed=True)

    def calls_began(self, ids: list[str]) -> None:
        """The LLM has called tools."""
        self._tool_turn = True
        if ids and not self._calls:
            self._busy.enter_context(self._session.busy())
        self._calls.update(ids)

    def call_ended(self, id: str) -> None:
        """A tool has come to its end."""
        if id in self._calls:
            self._calls.discard(id)
            if not self._calls:
                self._busy.close()

    def end(self) -> None:
        """The call is over."""
        self._stop_clock()
        self._calls.clear()
        self._busy.close()

    def _end_pending(self, *, failed: bool) -> None:
        floor = self._session.floor
        if floor is not None and floor[1] is ReplyState.PENDING and not self.speaking:
            self._stop_clock()
            self._session.playback_finished(floor[0], failed=failed)

    def _start_clock(self, reply: int) -> None:
        self._stop_clock()
        self._clock = asyncio.get_running_loop().call_later(self._answer_timeout, self._time_is_up, reply)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _time_is_up(self, reply: int) -> None:
        self._clock = None
        if self._calls:
            self._start_clock(reply)
        elif (floor := self._session.floor) is not None and floor == (reply, ReplyState.PENDING):
            self._session.playback_finished(reply, failed=True)
