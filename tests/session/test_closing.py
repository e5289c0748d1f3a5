"""The end of a session: what is waited for, what is cancelled, and that everybody learns of it."""

from __future__ import annotations

import anyio
import pytest

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, TURN, listen, script
from turnkit.session import Session
from turnkit.turns.events import Cancel, CancelReason, Commit

pytestmark = pytest.mark.anyio


async def test_draining_lets_the_reply_that_has_the_floor_finish() -> None:
    """When the source ends, the committed reply's work is waited for; an open turn and its draft are not."""
    session = Session()
    signals = listen(session)
    spoken: list[int] = []

    @session.on(Commit)
    async def speak(signal: Commit) -> None:
        session.playback_started(signal.reply)
        await anyio.sleep(0.3)
        spoken.append(signal.reply)
        session.playback_finished(signal.reply)

    await session.run(script(*TURN))
    assert spoken == [0]
    assert kinds(signals)[-1] == "Commit", "nothing was cancelled"


async def test_without_drain_nothing_is_waited_for() -> None:
    """drain=False closes at once and cancels what still runs."""
    session = Session()
    signals = listen(session)
    log: list[str] = []

    @session.on(Commit)
    async def speak(signal: Commit) -> None:
        try:
            await anyio.sleep(3600)
        finally:
            log.append("over")

    await session.run(script(*TURN, 0.01), drain=False)
    assert log == ["over"]
    assert signals[-1] == Cancel(0, 0, CancelReason.CLOSED, at=signals[-1].at)


async def test_a_cancelled_run_still_closes_its_books() -> None:
    """Whoever plays or pays for a reply learns that it is over, also when the whole call is cancelled."""
    session = Session()
    signals = listen(session)
    with anyio.move_on_after(0.1):
        await session.run(script(*EAGER, 3600))
    assert kinds(signals) == ["TurnStarted", "Speculate", "Cancel", "TurnDropped"]
