"""A call with sound, over the real wire and in virtual time: a scripted caller, the voice of espeak, a silent sink."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.voice_services import Api, Refused, Request, chat
from turnkit import ConfigError, FluxOptions
from turnkit.simulator import Script, serve
from turnkit.speaking import ClockSink
from turnkit.speaking.espeak import EspeakVoice
from turnkit.testing import virtual_time
from turnkit.tools.talk import call
from turnkit.tools.talk.brain import Brain, BrainFailed
from turnkit.tools.talk.call import hold_call
from turnkit.tools.talk.choosing import Choice
from turnkit.tools.talk.spoken import APOLOGY
from turnkit.tools.talk.stopwatch import Latency
from turnkit.trace import Recorder, read
from turnkit.turns.events import BargeIn, Commit, Outcome, ReplyEnded, Signal

pytestmark = pytest.mark.anyio
OPTIONS = FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.4)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual_time(request.param)


class Display:
    """Keeps what it is to show."""

    def __init__(self) -> None:
        self.signals: list[tuple[float, Signal | ReplyEnded]] = []
        self.heard: dict[int, list[tuple[str, str]]] = {}
        self.problems: list[str] = []
        self.latencies: list[Latency] = []
        self.seconds = 0.0

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        self.signals.append((seconds, signal))

    def tick(self, seconds: float) -> None:
        assert seconds >= self.seconds
        self.seconds = seconds

    def draft(self, reply: int, text: str) -> None:
        assert text

    def said(self, reply: int, heard: str, rest: str) -> None:
        self.heard.setdefault(reply, []).append((heard, rest))

    def failed(self, reply: int, problem: str) -> None:
        self.problems.append(problem)

    def took(self, latency: Latency) -> None:
        self.latencies.append(latency)

    def of(self, kind: type) -> list[Any]:
        return [signal for _, signal in self.signals if isinstance(signal, kind)]

    def ended(self) -> list[str]:
        return [ended.heard for ended in self.of(ReplyEnded) if ended.outcome is not Outcome.CANCELLED]


async def silence(seconds: float, failure: Exception | None = None) -> AsyncGenerator[bytes, None]:
    """A microphone: the scripted simulator goes by its length."""
    began = anyio.current_time()
    for number in range(1, round(seconds / 0.02) + 1):
        await anyio.sleep_until(began + 0.02 * number)
        yield bytes(640)
    if failure is not None:
        raise failure


async def converse(
    script: str, seconds: float, *, failure: Exception | None = None, record: Recorder | None = None, **choice: Any
) -> Display:
    display = Display()

    async def tick() -> None:
        while True:  # noqa: ASYNC110  # in small steps, so that packets are there before their time is over
            await anyio.sleep(0.005)

    async with anyio.create_task_group() as ticking, serve(Script.parse(script, seed=17)) as flux:
        ticking.start_soon(tick)
        sink, voice = ClockSink(sample_rate=22050), EspeakVoice()
        try:
            await hold_call(
                flux.url, silence(seconds, failure), sink, voice, display,
                options=OPTIONS, choice=Choice(**choice), record=record,
            )  # fmt: skip
        except ConfigError as error:
            display.problems.append(str(error))
        ticking.cancel_scope.cancel()
    return display


async def test_a_booking(tmp_path: Path) -> None:
    """Greeted, answered, interrupted: what was heard is words of what was said, and the call is recorded."""
    recorder = Recorder(tmp_path / "call.jsonl")
    display = await converse(
        "6.0 A table for two, please. \n +4.5 Tomorrow. \n +1.5 Sorry, on Friday.", 20.0, record=recorder
    )
    heard = display.ended()
    assert heard[0] == "Good evening, Chez Rosa. I can book you a table. For how many people?"
    assert heard[1].startswith("With pleasure.")
    assert "For which day?".startswith(heard[1].removeprefix("With pleasure. ")) or heard[1] == "With pleasure."
    assert any("At what time?" in told for told in heard[2:])
    first = display.heard[0]
    assert first[0] == ("", heard[0])
    assert ("Good evening,", "Chez Rosa. I can book you a table. For how many people?") in first
    assert len(read(recorder.path).records) > 20


async def test_where_the_time_goes() -> None:
    """The parts add up to what the caller waits for, and the rules take none of it."""
    display = await converse("6.0 A table for two, please.", 14.0)
    (latency,) = display.latencies
    parts = (latency.detector, latency.turnkit, latency.llm, latency.voice, latency.loudspeaker)
    assert latency.total == pytest.approx(sum(parts), abs=1e-9)
    assert min(parts) >= 0
    commit = next(
        (seconds, signal) for seconds, signal in display.signals if isinstance(signal, Commit) and signal.turn == 0
    )
    last_word = commit[1].words[-1].end
    assert last_word is not None
    assert latency.detector == pytest.approx(commit[0] - last_word, abs=0.05)
    assert latency.turnkit < 0.03
    assert latency.llm == 0
    assert latency.loudspeaker <= 0.02
    assert latency.drafted
    told = str(latency)
    assert told.startswith("first sound ")
    assert " ms after your last word: to be sure " in told


async def test_a_barge_in_and_what_was_heard() -> None:
    """The bot stops at the word; what was heard is some of the first words of the greeting."""
    display = await converse("1.5 Wait a moment.", 8.0)
    (stopped,) = display.of(BargeIn)
    assert stopped.reply == 0
    heard = display.ended()[0]
    assert heard
    assert "Good evening, Chez Rosa. I can book you a table.".startswith(heard)


async def test_its_own_words_come_back() -> None:
    """Through the microphone, as without headphones: the guard lets the bot go on."""
    display = await converse("2.6 good evening chez rosa", 9.0)
    assert not display.of(BargeIn)
    assert display.ended()[0].endswith("For how many people?")


async def test_the_echo_of_decisions() -> None:
    """It says how many words there were, and how long it waited: what it cannot know before the turn is over."""
    display = await converse("9.0 One two three four.", 20.0, bot="echo")
    answer = next(heard for heard in display.ended() if heard.startswith("You said"))
    assert answer.startswith("You said 4 words: one two three four. I waited ")
    assert answer.endswith("seconds after the last one, and had begun before I was sure.")


async def test_an_llm() -> None:
    """Its answer is said as it comes, and its time to the first sentence is told beside the others'."""
    async with Api(chat, "/v1/chat/completions", "text/event-stream").serve() as url:
        display = await converse("3.0 When do you open on a Sunday?", 12.0, llm=url)
    assert "On Sundays we are closed." in display.ended()
    (latency,) = display.latencies
    assert latency.llm > 0.3
    parts = (latency.detector, latency.turnkit, latency.llm, latency.voice, latency.loudspeaker)
    assert latency.total == pytest.approx(sum(parts), abs=1e-9)


async def test_an_llm_that_fails() -> None:
    """An apology is heard, and the display told what was wrong."""

    async def refuse(request: Request) -> AsyncGenerator[bytes, None]:
        for nothing in list[bytes]():
            yield nothing
        raise Refused(503, '{"error": {"message": "overloaded"}}')

    async with Api(refuse, "/v1/chat/completions", "text/event-stream").serve() as url:
        display = await converse("3.0 When do you open on a Sunday?", 12.0, llm=url)
    assert APOLOGY in display.ended()
    (problem,) = display.problems
    assert problem.endswith("status 503, 'overloaded'")


class Failing(Brain):
    greeting = "Hello."

    async def answer(self, reply: Any) -> AsyncGenerator[str, None]:
        for nothing in list[str]():
            yield nothing
        raise BrainFailed("the LLM at nowhere: nobody answers there")


async def test_a_brain_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft is dropped, the answer is an apology, and the problem is shown."""
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened(choice: Choice, stopwatch: object) -> AsyncIterator[Brain]:
        yield Failing()

    monkeypatch.setattr(call, "opened", opened)
    display = await converse("3.0 A table for two, please.", 12.0)
    assert display.problems == ["the LLM at nowhere: nobody answers there"]
    assert APOLOGY in display.ended()


async def test_a_microphone_that_is_gone() -> None:
    """Ends the call, and says why."""
    display = await converse("9.0 Hello.", 2.0, failure=ConfigError("the microphone is gone"))
    assert display.problems == ["the microphone is gone"]
