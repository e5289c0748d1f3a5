"""What a host does wrong is told at once, with what would be right."""

from __future__ import annotations

import pytest

from tests.support.sessions import script, turn
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
