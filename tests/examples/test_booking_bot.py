"""The example booking_bot: the booking takes effect exactly once, whatever the caller does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import anyio
import pytest

from tests.support.examples import load
from tests.support.sessions import listen, script
from turnkit.session import Session
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    EagerEndOfTurn,
    EndOfTurn,
    ReplyEnded,
    StartOfTurn,
    TurnResumed,
    UserIdle,
)


def outcomes(session: Session) -> list[tuple[str, str]]:
    """(outcome, heard) of every reply, as they end."""
    ends: list[tuple[str, str]] = []
    session.on(ReplyEnded, lambda end: ends.append((end.outcome.value, end.heard)))
    return ends


ASKED = "A table for two at eight, please."
BOOKED = "A table for two at eight is booked, number 1."


class Desk:
    """A booking bot with a book that counts how often it is written into."""

    def __init__(self, *, seconds: float = 0.8, llm: Callable[[ModuleType], Any] = lambda module: module.RuleLlm()):
        module = load("booking_bot")
        self.puts: list[str] = []
        puts = self.puts

        class Counting(module.Bookings):  # type: ignore[misc, name-defined]
            async def put(self, key: str, people: str, time: str) -> Any:
                puts.append(key)
                return await super().put(key, people, time)

        self.bookings = Counting(seconds)
        self.session: Session = module.BookingBot(llm(module), self.bookings, "call").session
        self.ends = outcomes(self.session)
        self.signals = listen(self.session)

    @property
    def book(self) -> list[tuple[str, str]]:
        return [(key, str(booking)) for key, booking in self.bookings.by_key.items()]


def insistent(module: ModuleType) -> Any:
    """An LLM that asks for a booking twice at once, and once more after it was told the outcome."""

    class Insistent(module.RuleLlm):  # type: ignore[misc, name-defined]
        asked = 0

        async def answer(self, messages: Sequence[dict[str, Any]]) -> Any:
            answer = await super().answer([message for message in messages if message["role"] == "user"])
            self.asked += 1
            return module.Answer(answer.text, [*answer.calls] * 2) if self.asked < 3 else module.Answer(BOOKED)

    return Insistent()


@pytest.mark.anyio
async def test_booking_bot(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole call: a pause, a word too late, an interruption; one booking, and it was told to its end."""
    with anyio.fail_after(120):
        await load("booking_bot").main()
    lines = capsys.readouterr().out.splitlines()
    booked = "A table for two at eight thirty is booked, number 1."
    assert [line for line in lines if line.startswith("  [booked")] == [
        "  [booked for two at eight thirty, key call-1:turn-0: number 1]"
    ]
    assert [line for line in lines if line.startswith("caller")] == [
        "caller: A table for two at eight thirty.",
        "caller: Please.",
        "caller: Could you repeat that?",
        "caller: Thank you!",
    ]
    assert f"bot finished: {booked}" in lines
    assert lines[-2:] == ["bot finished: You are welcome. Goodbye!", f"in the book: {booked}"]


@pytest.mark.anyio
async def test_a_withdrawn_draft_books_nothing() -> None:
    """The draft would have booked for eight and waits to be allowed; the caller goes on, and eight thirty is booked."""
    desk = Desk()
    in_between: list[int] = []
    await desk.session.run(
        script(
            StartOfTurn(0, "A table for two at eight"),
            EagerEndOfTurn(0, "A table for two at eight"),
            3.0,
            lambda: in_between.append(len(desk.puts)),
            TurnResumed(0, "A table for two at eight thirty"),
            EagerEndOfTurn(0, "A table for two at eight thirty."),
            3.0,
            lambda: in_between.append(len(desk.puts)),
            EndOfTurn(0, "A table for two at eight thirty."),
        )
    )
    assert in_between == [0, 0]
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", "A table for two at eight thirty is booked, number 1.")]
    assert desk.ends == [
        ("cancelled", ""),
        ("finished", "One moment, please. A table for two at eight thirty is booked, number 1."),
    ]


@pytest.mark.anyio
@pytest.mark.parametrize("seconds_to_please", [0.1, 0.5, 1.05])
@pytest.mark.parametrize("eager", [True, False])
async def test_a_please_before_anything_was_heard_books_nothing_more(seconds_to_please: float, eager: bool) -> None:
    """While the LLM thinks, while the book is written, before the first sound: the next reply makes up for it."""
    desk = Desk(seconds=0.7)
    drafted = [EagerEndOfTurn(1, "Please.")] if eager else []
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            seconds_to_please,
            StartOfTurn(1, "Please."),
            *drafted,
            0.1,
            EndOfTurn(1, "Please."),
        )
    )
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends[0] == ("cancelled", "")
    outcome, heard = desk.ends[-1]
    assert outcome == "finished"
    assert heard.endswith(BOOKED)
    cancels = [signal.reason.value for signal in desk.signals if isinstance(signal, Cancel)]
    assert cancels[0] == "new_turn"


@pytest.mark.anyio
async def test_changed_details_before_anything_was_heard_change_the_booking() -> None:
    """The same key with other details: still one booking, the one that was wanted last."""
    desk = Desk(seconds=0.1, llm=insistent)
    await desk.session.run(
        script(
            StartOfTurn(0, "A table for two at nine"),
            EndOfTurn(0, "A table for two at nine"),
            0.6,
            StartOfTurn(1, "Sorry"),
            0.1,
            EndOfTurn(1, "Sorry, a table for two at eight."),
        )
    )
    assert set(desk.puts) == {"call:turn-0"}
    assert len(desk.puts) > 1
    assert len(desk.book) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("eager", [True, False])
async def test_a_barge_in_does_not_stop_the_booking_and_causes_no_second_one(eager: bool) -> None:
    """The speech ends, the booking does not; the next reply, begun meanwhile, waits for it and tells the outcome."""
    desk = Desk(seconds=4.0)
    drafted = [EagerEndOfTurn(1, "And is there parking?")] if eager else []
    in_between: list[object] = []
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            1.8,
            StartOfTurn(1, "And is"),
            lambda: in_between.append((desk.puts[:], desk.book)),
            *drafted,
            0.5,
            EndOfTurn(1, "And is there parking?"),
        )
    )
    assert in_between == [(["call:turn-0"], [])], "it was under way"
    assert [type(signal) for signal in desk.signals].count(BargeIn) == 1
    assert desk.puts == ["call:turn-0"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("interrupted", "One moment,"), ("finished", BOOKED)]


@pytest.mark.anyio
async def test_a_draft_begun_during_the_booking_is_made_anew_with_its_outcome() -> None:
    """The caller hesitates through it all: the draft from before the outcome is discarded, the reply tells it."""
    desk = Desk(seconds=4.0)
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            1.8,
            StartOfTurn(1, "And is"),
            EagerEndOfTurn(1, "And is there parking?"),
            5.0,
            EndOfTurn(1, "And is there parking?"),
        )
    )
    assert [signal.reason.value for signal in desk.signals if isinstance(signal, Cancel)] == ["context_changed"]
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("interrupted", "One moment,"), ("cancelled", ""), ("finished", BOOKED)]


@pytest.mark.anyio
async def test_a_caller_who_says_nothing_more_hears_of_the_booking() -> None:
    """Interrupted by a cough: nobody is asked whether they are there while it is booked, and then they are told."""
    desk = Desk(seconds=9.0)
    began = anyio.current_time()
    await desk.session.run(
        script(
            StartOfTurn(0, ASKED),
            EndOfTurn(0, ASKED),
            1.8,
            StartOfTurn(1, "Hm"),
            0.2,
            EndOfTurn(1, ""),
            20.0,
        )
    )
    idle = next(signal for signal in desk.signals if isinstance(signal, UserIdle))
    assert idle.at - began > 9.3 + 5.0 - 0.1, "the idle clock began when the booking was done"
    assert desk.ends[:2] == [("interrupted", "One moment,"), ("finished", BOOKED)]
    assert desk.book == [("call:turn-0", BOOKED)]


@pytest.mark.anyio
async def test_an_llm_that_asks_twice_books_once() -> None:
    """Twice in one answer, and again after it was told: the key makes them one."""
    desk = Desk(llm=insistent)
    await desk.session.run(script(StartOfTurn(0, ASKED), EndOfTurn(0, ASKED)))
    assert desk.puts == ["call:turn-0"] * 4
    assert desk.book == [("call:turn-0", BOOKED)]
    assert desk.ends == [("finished", f"One moment, please. One moment, please. {BOOKED}")]


@pytest.mark.anyio
async def test_a_caller_who_hangs_up_during_the_booking_has_one() -> None:
    """The stream ends while it is under way."""
    desk = Desk(seconds=4.0)
    await desk.session.run(script(StartOfTurn(0, ASKED), EndOfTurn(0, ASKED), 1.0), drain=True)
    assert desk.book == [("call:turn-0", BOOKED)]
