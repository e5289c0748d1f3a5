"""The user takes the floor by other means than speech: a key, an operator, typed text."""

from __future__ import annotations

import pytest

from tests.support.kinds import kinds
from tests.support.sessions import listen, outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError
from turnkit.session import Reply, Session
from turnkit.turns.events import BargeIn, Commit

pytestmark = pytest.mark.anyio


async def count(reply: Reply) -> None:
    await reply.say("one two three four five")


async def test_a_key_stops_the_reply_as_a_barge_in_would() -> None:
    """At once, whatever the policy says, and without a turn."""
    voice = Voice()
    session = Session(respond=count, speak=voice.speak)
    ends = outcomes(session)
    told: list[BargeIn] = []
    given: list[int | None] = []
    session.on(BargeIn, told.append)
    await session.run(script(*turn(0, "count"), 0.25, lambda: given.append(session.interrupt()), 5))
    assert ends == [(0, "interrupted", "one two")]
    assert [(signal.turn, signal.reply, signal.heard) for signal in told] == [(None, 0, "one two")]
    assert given == [None]
    assert session.history[-1] == {"role": "assistant", "content": "one two"}


async def test_typed_text_is_a_turn_that_is_answered() -> None:
    """With a number of its own, and it stands in the history as what the user said."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    given: list[int | None] = []
    commits: list[tuple[int | None, str, str]] = []
    session.on(Commit, lambda commit: commits.append((commit.turn, commit.trigger, commit.transcript)))
    await session.run(script(*turn(0, "hello"), 0.45, lambda: given.append(session.interrupt("order 17")), 5))
    assert given == [1]
    assert commits == [(0, "model", "hello"), (1, "typed", "order 17")]
    assert voice.heard == "You said: You said: order 17"
    assert [message["content"] for message in session.history] == [
        "hello",
        "You",
        "order 17",
        "You said: order 17",
    ]


async def test_what_is_no_word_is_no_turn() -> None:
    """It only stops the agent."""
    session = Session()
    signals = listen(session)
    given: list[int | None] = []
    await session.run(script(lambda: given.append(session.interrupt("  ")), 1))
    assert given == [None]
    assert kinds(signals) == []


async def test_outside_of_the_run_nothing_happens_and_wrong_kinds_are_refused() -> None:
    """Before it and after it."""
    session = Session()
    assert session.interrupt("x") is None
    await session.run(script())
    assert session.interrupt("x") is None
    with pytest.raises(ConfigError, match="must be what the user typed"):
        session.interrupt(b"x")  # type: ignore[arg-type]
