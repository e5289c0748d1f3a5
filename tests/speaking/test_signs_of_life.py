"""The ready-made `speak` reports while a sound goes on, also where no word ends for a long time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import anyio
import pytest

from tests.support.loudspeakers import RATE, Loudspeaker, PlaybackLog, make, run, voice
from tests.support.sessions import outcomes, script, turn
from turnkit.session import Reply, Session
from turnkit.speaking import TTS, Sound

pytestmark = pytest.mark.anyio
PAUSE = 50.0  # seconds
LONG = bytes(int(PAUSE * RATE * 2))


async def pausing(text: str) -> AsyncIterator[Sound]:
    """A voice that takes a long pause before its last word."""
    yield Sound(LONG, [("Well,", 0.0, 0.4), ("yes.", PAUSE - 0.5, PAUSE)])


async def untold(text: str) -> AsyncIterator[bytes]:
    """A voice that says one long word, and gives no times."""
    yield LONG


@pytest.mark.parametrize("what", ["audio", "pause", "word"])
async def test_a_long_sound_is_no_silence(what: str) -> None:
    """A bound of 5 s on its silence does not end a reply that is being heard for 50 s."""
    cases: dict[str, tuple[TTS, str | bytes]] = {
        "audio": (voice(), LONG),
        "pause": (pausing, "Well, yes."),
        "word": (untold, "Yes."),
    }
    tts, chunk = cases[what]

    async def respond(reply: Reply) -> None:
        await reply.say(chunk)

    session = Session(respond=respond, speak=make(tts, Loudspeaker()), silence_timeout=5.0)
    ends = outcomes(session)
    began = anyio.current_time()
    await session.run(script(*turn(0, "hello")))
    assert ends == [(0, "finished", chunk if isinstance(chunk, str) else "")]
    assert anyio.current_time() - began == pytest.approx(PAUSE, abs=0.1)


async def test_nothing_new_is_told_by_a_sign_of_life() -> None:
    """The same words again, every two seconds; none while the playback is held, or nothing is left to play."""
    playback = PlaybackLog()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, make(pausing, Loudspeaker()), playback, "Well, yes.")
        await anyio.sleep(10)
        playback.hold()
        await anyio.sleep(20)
        playback.resume()
    assert [text for _, text in playback.log[:2]] == ["<started>", "Well,"]
    assert {text for _, text in playback.log[1:-1]} == {"Well,"}
    gaps = [later - earlier for (earlier, _), (later, _) in pairwise(playback.log)]
    assert sum(gap > 2.1 for gap in gaps) == 1
    assert 20 <= max(gaps) <= 24
    assert min(gaps[1:]) > 0.4
    playback = PlaybackLog()
    await run(make(voice(), Loudspeaker()), playback, "Yes.", 30.0, "No.")
    assert [text for _, text in playback.log] == ["<started>", "Yes.", "Yes.No."]


async def test_a_sink_that_stands_still_gives_no_sign() -> None:
    """The session is to learn that its voice hangs."""

    class Stuck(Loudspeaker):
        def played(self) -> float:
            return min(super().played(), 0.3)

    async def respond(reply: Reply) -> None:
        await reply.say("One two three")

    session = Session(respond=respond, speak=make(voice(), Stuck(), stall_timeout=100.0), silence_timeout=5.0)
    ends = outcomes(session)
    await session.run(script(*turn(0, "hello"), 8.0, lambda: ends.append((-1, "8 s", ""))))
    assert ends == [(0, "failed", "One"), (-1, "8 s", "")]
