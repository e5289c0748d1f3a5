"""The stand-ins: they take their time, fail when told to, and remember."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from turnkit import HoldThenDecide, IgnoreBackchannels, Session
from turnkit.errors import ConfigError
from turnkit.session import Reply
from turnkit.testing import Pace, ScriptedLLM, ScriptedTool, ScriptedVoice, converse

pytestmark = pytest.mark.anyio

ASKED = [{"role": "user", "content": "When are you open, please?"}]


async def tokens(llm: ScriptedLLM, messages: list[dict[str, str]] = ASKED) -> list[Any]:
    return [token async for token in llm.stream(messages)]


async def test_an_llm_answers_by_what_was_said() -> None:
    """One answer, answers by whole words of the user, or a function; text in tokens, a list as it stands."""
    assert await tokens(ScriptedLLM("At nine.  Bye")) == ["At ", "nine.  ", "Bye"]
    llm = ScriptedLLM({"ope": "no", "you OPEN": "At nine.", "when": "Later."}, otherwise=["what", 5])
    assert await tokens(llm) == ["At ", "nine."]
    assert await tokens(llm, [{"role": "user", "content": "When?"}]) == ["Later."]
    assert await tokens(llm, []) == ["what", 5]
    assert await tokens(ScriptedLLM(lambda messages: messages[-1]["content"].upper()), ASKED[:1]) == [
        "WHEN ", "ARE ", "YOU ", "OPEN, ", "PLEASE?",
    ]  # fmt: skip
    assert [call.asked[-1]["content"] for call in llm.calls[:1]] == ["When are you open, please?"]


async def test_paces_go_call_by_call() -> None:
    """Seconds to the first token and between tokens; the last pace is that of all further calls."""
    llm = ScriptedLLM("One two three", pace=[Pace(1.0, 0.5), Pace(0.25, 0.0)])
    took = []
    for _ in range(3):
        began = anyio.current_time()
        await tokens(llm)
        took.append(round(anyio.current_time() - began, 6))
    assert took == [1.0 + 3 * 0.5, 0.25, 0.25], "the end of the answer takes as long as a token"


async def test_failures_and_hanging() -> None:
    """After so many tokens; the call says how it went."""
    llm = ScriptedLLM("One two three", pace=[Pace(fails_at=2), Pace(fails_at=0), Pace(hangs_at=1)])
    for gave in (2, 0):
        with pytest.raises(ConnectionError, match=f"the scripted LLM fails at {gave}"):
            await tokens(llm)
    with anyio.move_on_after(100.0):
        await tokens(llm)
    assert [(call.outcome, len(call.gave)) for call in llm.calls] == [("failed", 2), ("failed", 0), ("cancelled", 1)]
    assert llm.wasted == 3


async def test_what_is_wasted_is_what_nobody_heard() -> None:
    """The tokens of drafts that came to nothing, also of those that were complete or left half-way."""
    llm = ScriptedLLM("One two three", pace=[Pace(0.1, 0.1), Pace(0.1, 0.0)])
    session = Session(respond=llm.respond, speak=ScriptedVoice())
    await converse(session, "1.0 Tea [eager] [resumed 0.25] for two [eager 1] [resumed 1] please. [eager] [end]")
    assert [(call.outcome, len(call.gave)) for call in llm.calls] == [
        ("cancelled", 2),
        ("finished", 3),
        ("finished", 3),
    ]
    assert llm.wasted == 5


async def test_an_answer_left_half_way_is_cancelled() -> None:
    """A reply that waits to say more, its buffer full, is stopped there; no call stays under way."""
    llm = ScriptedLLM([f"{number} " for number in range(300)], pace=Pace(0.0, 0.0))
    session = Session(respond=llm.respond, speak=ScriptedVoice())
    await converse(session, "1.0 Count [eager] [resumed 1] no. [end 0] \n+0 Stop. [end]\n @speaking+1 Stop. [end]")
    assert {call.outcome for call in llm.calls[:-1]} == {"cancelled"}


async def test_a_voice_takes_its_time_and_pauses_while_held() -> None:
    """A word after the other, each known with its time; nothing new while the overlap is judged."""
    voice = ScriptedVoice(pace=Pace(0.5, 0.25))
    session = Session(
        respond=ScriptedLLM("One two three.", pace=Pace(0.0, 0.0)).respond,
        speak=voice,
        barge_in=HoldThenDecide(IgnoreBackchannels()),
        hold_timeout=5.0,
    )
    call = await converse(session, "1.0 Go. [end 0]\n@speaking+0.05 Mm-hm [end 1]")
    times = [at for at, _, _ in voice.sounds]
    assert [word for _, _, word in voice.sounds] == ["One ", "two ", "three."]
    assert times[1] - times[0] == pytest.approx(0.25)
    assert times[2] - times[1] > 1.0
    assert call.heard == "One two three."


async def test_a_voice_fails_and_hangs_after_so_many_words() -> None:
    """What was heard until then was heard."""
    for pace, outcome in (
        (Pace(fails_at=2), "failed"),
        (Pace(fails_at=0), "failed"),
        (Pace(hangs_at=2), "interrupted"),
    ):
        session = Session(respond=ScriptedLLM("One two three.").respond, speak=ScriptedVoice(pace=[pace, Pace()]))
        call = await converse(session, "1.0 Go.\n+9 Stop. [end]" if pace.hangs_at else "1.0 Go.")
        assert call.replies[0].outcome == outcome
        assert call.replies[0].heard.strip() == ("" if pace.fails_at == 0 else "One two")


async def test_a_voice_plays_audio_too() -> None:
    """A chunk of bytes is a sound as long as a word."""

    async def respond(reply: Reply) -> None:
        await reply.say(b"\0\0")
        await reply.say("there")

    voice = ScriptedVoice()
    await converse(Session(respond=respond, speak=voice), "1.0 Go.")
    assert [word for _, _, word in voice.sounds] == ["", "there"]


async def test_a_tool_remembers_its_calls() -> None:
    """Its key, its details and its result, made by a function, sync or async; it fails when told to."""

    async def price(people: int) -> int:
        await anyio.sleep(1.0)
        return people * 10

    tool = ScriptedTool("price", price, pace=[Pace(0.5), Pace(fails_at=0)])
    assert await tool(key="k", people=2) == 20
    with pytest.raises(ConnectionError, match="the scripted tool price fails at 0"):
        await tool(people=3)
    assert [(call.key, call.asked, call.gave, call.outcome) for call in tool.calls] == [
        ("k", {"people": 2}, [20], "finished"),
        (None, {"people": 3}, [], "failed"),
    ]
    assert await ScriptedTool("constant", "done")() == "done"
    assert await ScriptedTool("doubling", lambda number: number * 2)(number=4) == 8


async def test_paces_that_cannot_be_are_refused() -> None:
    """With the name, the value and the rule."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"first": -1.0}, r"first=-1\.0: must be a number of seconds"),
        ({"between": float("inf")}, "between=inf: must be a number of seconds"),
        ({"fails_at": -1}, "fails_at=-1: must be a whole number"),
        ({"hangs_at": 1.5}, r"hangs_at=1\.5: must be a whole number"),
        ({"hangs_at": True}, "hangs_at=True: must be a whole number"),
    ]
    for settings, message in wrong:
        with pytest.raises(ConfigError, match=message):
            Pace(**settings)
    with pytest.raises(ConfigError, match=r"pace=\[\]: must be a Pace, or at least one in a list"):
        ScriptedLLM("x", pace=[])


async def test_stand_ins_work_outside_of_a_rehearsal() -> None:
    """In a session of one's own, with nobody to tell."""
    llm, voice = ScriptedLLM("Hello."), ScriptedVoice()
    session = Session(respond=llm.respond, speak=voice)

    async def source() -> AsyncIterator[dict[str, Any]]:
        frame = {"type": "TurnInfo", "turn_index": 0, "transcript": "Hi"}
        yield {**frame, "event": "StartOfTurn"}
        yield {**frame, "event": "EndOfTurn"}

    await session.run(source())
    assert [word for _, _, word in voice.sounds] == ["Hello."]
    assert [call.reply for call in llm.calls] == [None]


@pytest.mark.parametrize("pace", [3, None, [], [3], "slow"])
def test_what_is_no_pace_is_refused(pace: Any) -> None:
    """A number of seconds is the likely slip."""
    for make in (lambda: ScriptedLLM("x", pace=pace), lambda: ScriptedTool("x", pace=pace)):
        with pytest.raises(ConfigError, match=r"^pace=.*: must be a Pace, or at least one in a list$"):
            make()
