"""The tests of the booking line: whole calls, on virtual time, in milliseconds.

    python -m pytest examples/tested_bot

With BOT=Careless in the environment they meet the bot with the mistake in it, and say what is wrong with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import bot as bots
import pytest

from turnkit import Session
from turnkit.testing import (
    BotRules,
    Caller,
    Conversation,
    Pace,
    ScriptedLLM,
    ScriptedTool,
    ScriptedVoice,
    converse,
    rehearse,
    strategies,
    virtual_time,
)

BookingLine: type[bots.BookingLine] = getattr(bots, os.environ.get("BOT", "BookingLine"))


THINKING, CANCELLING = Pace(0.3), Pace(0.5)  # seconds to the first token, and to the booking being cancelled


def answers(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """What an LLM would say, or do, to the last words of the caller."""
    said = [message["content"] for message in messages if message["role"] == "user"][-1].lower()
    if any(message["role"] == "tool" for message in messages):
        return ["Your ", "booking ", "is ", "already ", "cancelled."]
    if "cancel" in said and "not" not in said:
        return ["One ", "moment, ", "please. ", bots.Tool(), "Your ", "booking ", "is ", "cancelled."]
    return ["Your ", "booking ", "is ", "for ", "two, ", "at ", "eight ", "in ", "the ", "evening."]


class Line:
    """The bot with its stand-ins."""

    def __init__(self, *, thinking: Pace | Sequence[Pace] = THINKING, cancelling: Pace = CANCELLING) -> None:
        self.llm = ScriptedLLM(answers, pace=thinking)
        self.cancel = ScriptedTool("cancel booking", pace=cancelling)
        self.session = BookingLine(self.llm, self.cancel, ScriptedVoice(), call_id="call").session

    def call(self, script: str) -> Conversation:
        return rehearse(self.session, script)


def test_a_question_is_answered_once() -> None:
    """A pause in mid-sentence makes a draft that nobody hears."""
    line = Line()
    call = line.call("1.0  When is [eager] my booking?")
    call.assert_answered_once("When is my booking?")
    call.assert_heard("at eight in the evening")
    call.assert_no_effect()
    call.assert_at_rest()


def test_a_booking_is_cancelled_once() -> None:
    call = Line().call("1.0  Please cancel my booking.")
    call.assert_effect_once("cancel booking", key="call:turn-0")
    call.assert_heard("Your booking is cancelled.")


def test_who_thinks_better_of_it_in_the_same_breath_keeps_the_booking() -> None:
    """The caller pauses long enough for a draft, and then goes on."""
    call = Line().call("1.0  Cancel my booking? [eager] [resumed 0.9] No, do not.")
    call.assert_no_effect("cancel booking")
    call.assert_never_heard("is cancelled")
    call.assert_heard("Your booking is for two")


def test_a_cancellation_is_finished_though_the_caller_interrupts() -> None:
    line = Line(cancelling=Pace(3.0))
    call = line.call("""
        1.0           Cancel my booking.
        @speaking+0.4 Hello? Is it done?
    """)
    call.assert_effect_once("cancel booking")
    call.assert_heard("Your booking is already cancelled.")


def test_a_caller_who_repeats_it_cancels_one_booking() -> None:
    """Nothing had been heard of the first answer, so the second is to both, under the same key."""
    call = Line().call("""
        1.0   Cancel my booking. [end 0]
        +0.1  Please cancel my booking.
    """)
    call.assert_effect_once("cancel booking", key="call:turn-0")


def test_the_agent_stops_for_a_question() -> None:
    call = Line().call("""
        1.0      When is my booking?
        @"two"   Sorry, for how many?
    """)
    call.assert_interrupted_within(0.2)
    call.assert_answered_once("Sorry, for how many?")


def test_the_agent_does_not_stop_for_a_listener() -> None:
    call = Line().call("""
        1.0      When is my booking?
        @"two"   Mm-hm.
    """)
    call.assert_not_interrupted()
    call.assert_heard("Your booking is for two, at eight in the evening.")


def test_a_silent_caller_is_asked_once() -> None:
    call = Line().call("30  [hang up]")
    assert call.heard == "Are you still there?"
    call.assert_at_rest()


def test_a_slow_tool_is_not_the_callers_silence() -> None:
    call = Line(cancelling=Pace(20.0)).call("1.0  Cancel my booking.")
    call.assert_never_heard("Are you still there?")
    call.assert_heard("Your booking is cancelled.")


def test_a_draft_that_fails_is_made_again() -> None:
    line = Line(thinking=[Pace(fails_at=1), Pace()])
    call = line.call("1.0  When is my booking? [eager] [end 0.8]")
    call.assert_answered_once()
    assert [request.outcome for request in line.llm.calls] == ["failed", "finished"]
    assert line.llm.wasted == 1


def test_words_are_not_lost_with_the_stream() -> None:
    call = Line().call("""
        1.0   When is my booking? [lost]
        +1    [restored]
        +5    [hang up]
    """)
    call.assert_answered_once("When is my booking?")


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return virtual_time(request.param)


@pytest.mark.anyio
async def test_it_reads_what_flux_sends() -> None:
    """The frames of Flux, as they are on the wire, in an async test."""
    line = Line()
    call = await converse(line.session, Caller("1.0  When is my booking?", wire=True))
    call.assert_heard("Your booking is for two")
    assert not line.session.notes


class TestAnyCall(BotRules):
    """Whoever calls, whatever fails: no cancellation for a draft, and everything comes to an end."""

    callers = strategies.conversations(
        says=["Cancel my booking.", "No, do not cancel it.", "When is my booking?", "Mm-hm."]
    )

    def llm(self, pace: Sequence[Pace]) -> ScriptedLLM:
        return ScriptedLLM(answers, pace=pace)

    def bot(self, llm: ScriptedLLM, voice: ScriptedVoice) -> Session:
        return BookingLine(llm, ScriptedTool("cancel booking"), voice, call_id="call").session
