"""The ready-made `speak` while it is held, and after a barge-in: there is no sound."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import anyio
import anyio.lowlevel
import pytest

from tests.support.loudspeakers import Loudspeaker, PlaybackLog, Step, at, make, run, voice
from turnkit.errors import LocalProtocolError
from turnkit.speaking import Sound

# Holds --------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_hold_stops_the_clock() -> None:
    """What is not yet heard is heard as much later as the hold lasted; a second hold is a hold as well."""
    playback, sink = PlaybackLog(), Loudspeaker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, make(voice(), sink), playback, "One two three four")
        for begin, end in ((0.3, 30.3), (30.6, 31.6)):
            await anyio.sleep_until(playback.began + begin)
            playback.hold()
            await anyio.sleep_until(playback.began + end)
            playback.resume()
    assert playback.log == at(
        [
            (0.01, "<started>"),
            (0.2, "One"),
            (30.45, "One two"),
            (31.7, "One two three"),
            (31.95, "One two three four"),
        ]
    )
    assert [did for did in sink.did if did != "play"] == ["begin 0", *["pause", "resume"] * 2]


@pytest.mark.anyio
async def test_a_hold_that_ends_in_barge_in_leaves_nothing_behind() -> None:
    """The next reply is heard, though the one before it was never resumed."""
    playback, sink = PlaybackLog(), Loudspeaker()
    speak = make(voice(), sink)
    with anyio.move_on_after(0.5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, speak, playback, "One two three four")
            await anyio.sleep(0.3)
            playback.hold()
    assert sink.did[-1] == "clear"
    other = PlaybackLog()
    await run(speak, other, "Yes?", reply=1)
    assert other.log == at([(0.01, "<started>"), (0.2, "Yes?")])


# Barge-in -----------------------------------------------------------------------------------------------------------


class Strict(Loudspeaker):
    """A sink that waits in `play`, and takes it ill if it has to play what was to be silenced."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice
        self.silenced: set[int] = set()
        self.reply = -1

    def begin(self, reply: int) -> None:
        super().begin(reply)
        self.reply = reply

    async def play(self, audio: bytes) -> None:
        assert self.reply not in self.silenced
        if self._dice.random() < 0.3:
            await anyio.sleep(self._dice.choice([0.0, 0.01, 0.1]))
        await super().play(audio)

    def clear(self) -> None:
        super().clear()
        self.silenced.add(self.reply)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(60))
async def test_after_a_barge_in_nothing_sounds(seed: int) -> None:
    """Whenever it comes, and whatever the TTS is doing: cleared in the step that learns of it, silent ever after."""
    dice = random.Random(seed)
    latency, pace = dice.choice([0.0, 0.05, 0.3]), dice.choice([0.0, 0.1, 0.4])
    moment = dice.choice([0.0, round(dice.uniform(0, 3), 1), dice.uniform(0, 3), 0.25 * dice.randrange(12)])
    playback, sink = PlaybackLog(), Strict(dice)
    speak = make(voice(latency, pace=pace, timed=dice.random() < 0.5), sink, ahead=dice.choice([0.3, 1, 5]))
    choices: list[Step] = ["One two. ", "three, four five six ", bytes(700), "Seven!", 0.1]
    steps = dice.choices(choices, k=8)
    finished = False

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def reply() -> None:
            nonlocal finished
            with scope:
                await run(speak, playback, *steps)
                finished = True

        tasks.start_soon(reply)
        await anyio.sleep(moment)
        played, told = sink.played(), len(playback.log)
        scope.cancel()
        for _ in range(4):
            await anyio.lowlevel.checkpoint()
        assert sink.silenced == (set() if finished else {sink.reply} & {0})
        # Not a moment of sound, and not a word, from here on; at most one that was being reported.
        silent = len(sink.audio)
        assert len(playback.log) <= told + 1
        await anyio.sleep(10)
        assert len(sink.audio) == silent
        assert sink.played() == pytest.approx(played, abs=1e-6)
        assert len(playback.log) <= told + 1
    if not finished:
        other = PlaybackLog()
        await run(speak, other, "Yes?", reply=1)
        assert other.heard == "Yes?"
        assert sink.played() == pytest.approx(sink._queued)


@pytest.mark.anyio
async def test_a_tts_that_does_not_notice_is_not_heard() -> None:
    """What it still has to give when the barge-in is long past goes nowhere."""
    sink = Loudspeaker()

    async def oblivious(text: str) -> AsyncIterator[bytes]:
        yield bytes(500)
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5)
        yield bytes(500)

    with anyio.move_on_after(0.1):
        await run(make(oblivious, sink), PlaybackLog(), "Hello")
    assert sink.did == ["begin 0", "play", "play", "play", "clear", "clear"]


@pytest.mark.anyio
@pytest.mark.parametrize("change", ["hold", "resume"])
async def test_a_hold_changes_nothing_after_the_barge_in(change: str) -> None:
    """Also when it comes, or ends, in the very step of the barge-in: the sink is the next reply's."""
    playback, sink = PlaybackLog(), Loudspeaker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, make(voice(), sink), playback, "One two three four")
        await anyio.sleep(0.3)
        if change == "resume":
            playback.hold()
            await anyio.sleep(0.1)
        getattr(playback, change)()
        tasks.cancel_scope.cancel()
    assert set(sink.did[sink.did.index("clear") :]) == {"clear"}


@pytest.mark.anyio
async def test_the_next_reply_silences_one_that_is_slow_to_die() -> None:
    """Its TTS takes five seconds to close; the next reply does not wait for that, and no sound is mixed into it."""
    sink, log = Loudspeaker(), list[str]()

    async def stubborn(text: str) -> AsyncGenerator[bytes | Sound, None]:
        try:
            for _ in range(20):
                yield b"\1" * 200
                await anyio.sleep(0.05)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)
            log.append("closed")

    async def mixed(text: str) -> AsyncIterator[bytes | Sound]:
        async with aclosing(stubborn(text) if text == "Old" else voice()(text)) as synthesis:
            async for sound in synthesis:
                yield sound

    speak = make(mixed, sink)
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def old() -> None:
            with scope:
                await run(speak, PlaybackLog(), "Old")

        tasks.start_soon(old)
        await anyio.sleep(0.5)
        scope.cancel()
        playback = PlaybackLog()
        await run(speak, playback, "New one", reply=1)
        assert playback.heard == "New one"
        assert sink.did[sink.did.index("begin 1") + 1 :].count("clear") == 0
        assert sink.audio.endswith(b"\0" * 1000)
        assert log == []
    assert log == ["closed"]
    assert sink.did[sink.did.index("begin 1") + 1 :].count("clear") == 0


@pytest.mark.anyio
async def test_two_replies_at_once_are_a_misuse() -> None:
    """The later one gets the sink; the earlier one says so, whoever waits for it."""
    playback, sink = PlaybackLog(), Loudspeaker()
    speak = make(voice(), sink)
    async with anyio.create_task_group() as tasks:

        async def early() -> None:
            with pytest.raises(LocalProtocolError, match="reply 0: another reply took the sink"):
                await run(speak, PlaybackLog(), "One two three four")

        tasks.start_soon(early)
        await anyio.sleep(0.3)
        await run(speak, playback, "Mine", reply=1)
    assert playback.heard == "Mine"
