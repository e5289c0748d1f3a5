"""The callbacks of a session: which of them hear of a signal."""

from __future__ import annotations

import anyio
import pytest

from tests.support.sessions import script, turn
from turnkit.session import Session
from turnkit.turns.events import TurnStarted

pytestmark = pytest.mark.anyio


async def test_a_callback_registered_while_a_signal_is_told_hears_of_the_next() -> None:
    """One that registers itself again at each signal does not go round for ever."""
    session = Session()
    heard: list[int] = []

    def again(signal: TurnStarted) -> None:
        heard.append(signal.turn)
        assert len(heard) < 10, "it hears of one signal for ever"
        session.on(TurnStarted, again)

    session.on(TurnStarted, again)
    with anyio.fail_after(60):
        await session.run(script(*turn(0, "one", eager=False), *turn(1, "two", eager=False)), drain=False)
    assert heard == [0, 1, 1]
