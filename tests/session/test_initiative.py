"""The agent speaks unasked: a greeting, a disclaimer, a question into a silence."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import listen, script, turn
from tests.support.voices import Voice, echo
from turnkit.session import Reply, Session
from turnkit.turns.events import BargeIn, UserIdle

pytestmark = pytest.mark.anyio


async def test_the_agent_greets_and_reprompts() -> None:
    """initiate says text, or calls what it is given; UserIdle leads to a reprompt; a taken floor refuses."""
    voice = Voice()

    async def greet(reply: Reply) -> None:
        assert reply.turn is None
        await reply.say("Hello there")

    session = Session(respond=echo, speak=voice.speak, idle_timeout=2.0)
    given: list[int | None] = []
    session.on(UserIdle, lambda idle: session.initiate("Still there?") if idle.count == 1 else None)
    await session.run(
        script(
            lambda: given.append(session.initiate(greet)),
            lambda: given.append(session.initiate("never")),
            1.0,
            *turn(0, "yes"),
            3.0,
            0.5,
        )
    )
    assert given == [0, None]
    assert voice.heard == "Hello there You said: yes Still there?"
    assert session.history[0] == {"role": "assistant", "content": "Hello there"}


async def test_a_protected_disclaimer_is_heard_to_its_end_and_the_user_is_answered_after_it() -> None:
    """initiate(protected=True): what is said over it waits for its end."""
    voice = Voice()
    session = Session(respond=echo, speak=voice.speak)
    signals = listen(session)
    await session.run(
        script(
            lambda: session.initiate("This call is recorded for training purposes", protected=True),
            0.35,
            *turn(0, "fine"),
            1.0,
        )
    )
    assert voice.heard == "This call is recorded for training purposes You said: fine"
    assert BargeIn not in map(type, signals)


async def test_the_idle_clock_waits_for_tools() -> None:
    """busy() holds it, nested too."""
    session = Session(idle_timeout=1.0)
    signals = listen(session)

    async def tool() -> None:
        with session.busy(), session.busy():
            await anyio.sleep(10)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tool)
        await anyio.lowlevel.checkpoint()
        await session.run(script(10.5))
    assert signals == []
