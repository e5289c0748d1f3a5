"""What a host does wrong is told at once, with what would be right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.sessions import outcomes, script, turn
from tests.support.voices import Voice, echo
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.turns.events import BargeIn, StartOfTurn

pytestmark = pytest.mark.anyio


async def test_wrong_settings_are_told_before_anything_runs() -> None:
    """respond without speak, or the other way, or what is not a function; a chunk that is neither text nor audio."""
    with pytest.raises(ConfigError, match="give both, or neither"):
        Session(respond=echo)
    with pytest.raises(ConfigError, match="respond='x'"):
        Session(respond="x", speak="y")  # type: ignore[arg-type]
    wrong: list[str] = []

    async def respond(reply: Reply) -> None:
        try:
            await reply.say(42)  # type: ignore[arg-type]
        except ConfigError as error:
            wrong.append(str(error))

    voice = Voice()
    session = Session(respond=respond, speak=voice.speak)
    await session.run(script(*turn(0, "a")))
    assert wrong == ["say(int): must be text or the bytes of audio"]
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate("x")


async def test_a_wrong_registration_says_what_is_right() -> None:
    """on() refuses what is not a signal or not callable, with the names there are."""
    session = Session()
    with pytest.raises(ConfigError, match="must be one of the signals TurnStarted"):
        session.on(StartOfTurn, print)  # type: ignore[type-var]
    with pytest.raises(ConfigError, match="must be callable"):
        session.on(BargeIn, "stop")  # type: ignore[call-overload]


@pytest.mark.parametrize("heard", [None, b"You", 3])
async def test_what_was_heard_is_text(heard: Any) -> None:
    """Anything else is refused before it stands anywhere: not in the history, nor in the end of the reply."""
    refused: list[str] = []

    def report(call: Any, *given: Any) -> None:
        with pytest.raises(LocalProtocolError, match="must be text") as caught:
            call(*given)
        refused.append(str(caught.value))

    async def speak(reply: Reply, chunks: AsyncIterator[Any], playback: Any) -> None:
        async for _ in chunks:
            playback.advance("You")
            report(playback.advance, heard)
            report(session.playback_advanced, reply.id, heard)

    session = Session(respond=echo, speak=speak)
    ends = outcomes(session)
    await session.run(script(*turn(0, "a"), 2.0))
    assert len(refused) == 4
    assert ends == [(0, "finished", "You")]
    assert session.history[-1] == {"role": "assistant", "content": "You"}


async def test_the_host_may_report_late_and_initiate_only_while_running() -> None:
    """Reports outside the run change nothing; initiate outside the run is a mistake; a session runs once."""
    session = Session()
    session.playback_started(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    outcome: list[int | None] = []
    await session.run(script(lambda: outcome.append(session.initiate()), lambda: outcome.append(session.initiate())))
    assert outcome == [0, None]
    session.playback_finished(0)
    session.discard_draft(0)
    with pytest.raises(LocalProtocolError, match="not running"):
        session.initiate()
    with pytest.raises(LocalProtocolError, match="runs once"):
        await session.run(script())
