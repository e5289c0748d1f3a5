"""What a LiveKit host does of its own accord, and what goes wrong there: turnkit's floor follows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from turnkit import Cancel, Commit, Outcome, ReplyEnded, Session, UserIdle
from turnkit.testing import virtual_time
from turnkit.trace import read, replay

pytest.importorskip("livekit.agents", reason="LiveKit Agents is tested in an environment of its own: .ci/interop")

from livekit.agents import APIConnectionError, StopResponse

from tests.support.livekit_call import Listener, LivekitCall, bot, hold

pytestmark = pytest.mark.anyio

TABLE = "I'd like a table for two, please."
ASKED = f"1.0  {TABLE}"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """LiveKit runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


def answer(text: str) -> str:
    return f"Very well, you said: {text} Shall I book that for you?"


class Silent(Listener):
    """An agent that answers nothing."""

    async def on_user_turn_completed(self, *_: Any, **__: Any) -> None:
        raise StopResponse


class Failing(bot.EchoLLM):  # type: ignore[name-defined]
    """An LLM that fails a number of times, then answers."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def chat(self, **given: Any) -> Any:
        if self.failures:
            self.failures -= 1
            return FailingStream(self, chat_ctx=given["chat_ctx"], tools=[], conn_options=given["conn_options"])
        return super().chat(**given)


class FailingStream(bot._Echo):  # type: ignore[name-defined]
    async def _run(self) -> None:
        raise APIConnectionError("no LLM today", retryable=False)


def ends(call: LivekitCall) -> list[tuple[Outcome, str]]:
    return [(end.outcome, end.heard) for end in call.of(ReplyEnded) if end.outcome != Outcome.CANCELLED]


async def test_a_turn_that_the_agent_does_not_answer_frees_the_floor() -> None:
    """Else the next "yes" would count as said over an answer that never comes."""
    call = await hold(f"{ASKED}\n+3  And again.", agent=Silent(), eager=None)
    assert call.errors == []
    assert ends(call) == [(Outcome.FINISHED, "")] * 2
    assert len(call.of(Commit)) == 2
    assert call.of(Cancel) == []


async def test_an_llm_that_fails_frees_the_floor() -> None:
    """The turn stays unanswered, and its words are in LiveKit's history once."""
    call = LivekitCall()
    call.llm = Failing(1)
    await hold(f"{ASKED}\n+4  Hello?", call=call, eager=None)
    assert [end.outcome for end in call.of(ReplyEnded)] == [Outcome.FAILED, Outcome.FINISHED]
    assert call.of(Commit)[1].unanswered == (TABLE,)
    assert call.user == [TABLE, "Hello?"]
    assert call.heard == [answer(f"{TABLE} Hello?")]


async def test_the_host_interrupts() -> None:
    """turnkit's reply ends with LiveKit's speech, and the next turn is an ordinary one."""

    async def interrupt(call: LivekitCall) -> None:
        await call.speaks.wait()
        await asyncio.sleep(1.0)
        await call.agent_session.interrupt()

    call = await hold(f"{ASKED}\n+6  Hello?", meanwhile=interrupt)
    assert call.errors == []
    assert [outcome for outcome, _ in ends(call)] == [Outcome.INTERRUPTED, Outcome.FINISHED]
    assert call.played[:2] == ["start", "cut"]
    assert call.of(Commit)[-1].unanswered == ()
    assert [message["content"] for message in call.sessions[0].history] == [text for _, text, _ in call.items]


async def test_the_host_says_two_things_and_the_second_may_be_interrupted() -> None:
    """turnkit learns of both, the second too, and that it is not protected."""

    class Twice(Listener):
        async def on_enter(self) -> None:
            self.session.say("Welcome, this call is recorded.", allow_interruptions=False)
            self.session.say("How can I help you on this fine and sunny day, dear caller?")

    call = await hold("3.0  A table, please.", agent=Twice())
    assert call.errors == []
    assert call.heard[0] == "Welcome, this call is recorded."
    assert call.heard[1].startswith("How can I")
    assert not call.heard[1].endswith("caller?")
    assert call.heard[2:] == [answer("A table, please.")]
    assert [commit.trigger for commit in call.of(Commit)] == ["initiate", "initiate", "model"]


async def test_words_taken_back_are_answered_again() -> None:
    """A noise before the first sound, taken for a word: LiveKit's own answer is stopped, and made again."""
    call = await hold(ASKED, faults=["false_start:0.8@turn1.after"], llm_delay=1.5, eager=None)
    assert call.errors == []
    assert call.user == [TABLE]
    assert call.heard[-1] == answer(TABLE)
    assert len([heard for heard in call.heard if heard]) == 1


async def test_a_stream_that_livekit_builds_anew_is_a_new_session() -> None:
    """LiveKit does so when a turn is cleared; the second session goes on where LiveKit speaks."""

    async def clear(call: LivekitCall) -> None:
        await call.speaks.wait()
        call.agent_session.clear_user_turn()

    call = await hold(f"{ASKED}\n+2.4  Sorry, make that three.\n+4  Thanks.", meanwhile=clear)
    assert call.errors == []
    assert len(call.sessions) == 2
    assert call.sessions[0] is not call.sessions[1]
    assert call.heard[0] != answer(TABLE)
    assert call.user[-1] == "Thanks."


async def test_a_call_closed_in_mid_speech_ends_both() -> None:
    """The user speaks over the agent as LiveKit is closed: turnkit's session is over, and all is told."""
    call = await hold(f"{ASKED}\n+2.5  Sorry, make that three people at", after=-0.5)
    assert call.errors == []
    assert repr(call.sessions[0]).startswith(f"<Session {call.sessions[0].id} ended")
    assert len(call.of(ReplyEnded)) == len({end.reply for end in call.of(ReplyEnded)})
    assert call.stt.session is None


async def test_a_call_is_recorded_and_replayed(tmp_path: Path) -> None:
    """With everything that a session takes, by the factory."""
    await hold(f"{ASKED}\n+2.5  Sorry, make that three.", session=lambda: Session(record=tmp_path / "call.jsonl"))
    trace = read(tmp_path / "call.jsonl")
    replay(trace)
    assert trace.options is not None
    assert trace.options.eager_eot_threshold == 0.4


async def test_an_initiative_of_turnkits_has_livekit_speak() -> None:
    """Such as after a silence: LiveKit's agent is asked for a reply to what it knows."""
    call = LivekitCall()
    made: list[Session] = []

    def session() -> Session:
        made.append(Session(idle_timeout=4.0))
        made[-1].on(UserIdle, lambda idle: made[-1].initiate() if idle.count == 1 else None)
        return made[-1]

    await hold(ASKED, session=session, after=14.0, call=call)
    assert call.errors == []
    assert [commit.trigger for commit in call.of(Commit)] == ["model", "initiate"]
    assert len(call.heard) == 2
    assert [outcome for outcome, _ in ends(call)] == [Outcome.FINISHED] * 2


async def test_flux_refuses() -> None:
    """LiveKit is told that it is for good, and closes its session."""
    call = await hold(ASKED, faults=["refuse:401@connect"])
    assert call.user == []
    assert str(call.reason) == "CloseReason.ERROR"
    assert any("401" in error for error in call.errors)


async def test_livekits_keyterms_are_flux_s() -> None:
    """Those of its session at once, beside those of the options; later ones in mid-stream."""
    seen: list[tuple[str, ...]] = []

    async def change(call: LivekitCall) -> None:
        await call.speaks.wait()
        for keyterms in (["Smith"], ["Smith", "Jones"]):
            call.stt._update_session_keyterms(keyterms)
            await asyncio.sleep(1.0)
            assert call.stt.flux is not None
            seen.append(call.stt.flux.options.keyterm)

    call = await hold(ASKED, meanwhile=change)
    assert call.errors == []
    assert seen == [("Smith",), ("Smith", "Jones")]
