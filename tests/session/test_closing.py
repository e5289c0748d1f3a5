"""The end of a session: what is waited for, what is cancelled, and that everybody learns of it."""

from __future__ import annotations

import anyio
import pytest
import structlog

from tests.support.kinds import kinds
from tests.support.sessions import EAGER, TURN, listen, script, turn
from tests.support.voices import Voice
from turnkit.session import Reply, Session
from turnkit.turns.events import Cancel, CancelReason, Commit, TurnStarted

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


@pytest.mark.parametrize("how", ["in speech", "at work", "in time"])
async def test_what_the_drain_cuts_off_is_in_the_log(how: str) -> None:
    """One line, with the replies and none of their words; and none if all came to its end in time."""
    voice = Voice()

    async def respond(reply: Reply) -> None:
        await reply.say("secret words")
        if how == "at work":
            reply.end_speech()
        await anyio.sleep(3 if how == "in time" else 20)

    session = Session(respond=respond, speak=voice.speak, drain_timeout=5.0)
    began = anyio.current_time()
    with structlog.testing.capture_logs() as logs:
        await session.run(script(*turn(0, "one", eager=False)))
    assert anyio.current_time() - began == pytest.approx(3.0 if how == "in time" else 5.0)
    cut_off = {
        "event": "drain_timed_out",
        "log_level": "warning",
        "session": session.id,
        "seconds": 5.0,
        "replies": [0],
    }
    assert logs == ([] if how == "in time" else [cut_off])


async def test_a_callback_that_the_drain_cuts_off_is_in_the_log_too() -> None:
    """Without a reply, as it is of none."""
    session = Session(drain_timeout=5.0)

    @session.on(TurnStarted)
    async def hang(signal: TurnStarted) -> None:
        await anyio.sleep_forever()

    with structlog.testing.capture_logs() as logs:
        await session.run(script(*EAGER))
    assert [(entry["event"], entry["replies"]) for entry in logs] == [("drain_timed_out", [])]
