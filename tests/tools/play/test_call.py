"""A typed call from the keys to the page: over the real wire, in virtual time, with a page that is a list of frames."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any

import anyio
import pytest

from turnkit import ConfigError, Immediate
from turnkit.session.default_record import recorded_in
from turnkit.testing import virtual_time
from turnkit.tools.play.asked import Settings
from turnkit.tools.play.call import hold_typing
from turnkit.tools.play.recordings import Recordings
from turnkit.trace import Fact, read, replay

pytestmark = pytest.mark.anyio
BOUND = 120.0  # seconds of virtual time


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return virtual_time(request.param)


class FakePage:
    """A page without a browser: a websocket that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.takes = True
        self._up, self._frames = anyio.create_memory_object_stream[str | bytes | None](inf)
        self._news = anyio.Event()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *raised: object) -> None:
        self._up.close()
        self._frames.close()

    async def receive(self) -> str | bytes | None:
        return await self._frames.receive()

    async def send(self, message: str | bytes) -> None:
        if not self.takes:
            await anyio.sleep_forever()
        self.told.append(json.loads(message))
        self._news.set()

    async def close(self, code: int = 1000) -> None:
        self.closed = code
        self._up.send_nowait(None)

    def ask(self, kind: str, **fields: Any) -> None:
        self.raw(json.dumps({"type": kind, **fields}))

    def raw(self, frame: str | bytes | None) -> None:
        self._up.send_nowait(frame)

    async def type(self, text: str, field: int = 0, before: str = "") -> None:
        for count in range(1, len(text) + 1):
            self.ask("typed", text=before + text[:count], field=field)
            await anyio.sleep(0.12)

    async def until(self, condition: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
        """The first message of which it holds."""
        with anyio.fail_after(BOUND):
            while True:
                for told in self.told[since:]:
                    if condition(told):
                        return told
                since = len(self.told)
                self._news = anyio.Event()
                await self._news.wait()

    async def signal(self, name: str, since: int = 0, **fields: Any) -> dict[str, Any]:
        wanted = {"signal": name, **fields}
        return await self.until(lambda told: wanted.items() <= told.items(), since)

    async def answer(self, number: int) -> dict[str, Any]:
        """Flux's answer to a Configure."""
        return await self.until(lambda told: told["type"] == "configured" and told["id"] == number)

    def signals(self) -> list[str]:
        return [told["signal"] for told in self.told if told["type"] == "signal"]


@asynccontextmanager
async def calling(
    tmp_path: Path, *, idle_timeout: float = 600.0, **settings: Any
) -> AsyncIterator[tuple[FakePage, Recordings]]:
    """A call that has begun, its greeting over; it is hung up in the end, and must end."""
    page, recordings = FakePage(), Recordings(tmp_path)

    async def tick() -> None:
        while True:  # noqa: ASYNC110  # in small steps, so that packets are there before their time is over
            await anyio.sleep(0.005)

    async def hold() -> None:
        with anyio.fail_after(BOUND):
            await hold_typing(page, Settings(**settings), recordings, idle_timeout=idle_timeout)
        ticking.cancel_scope.cancel()

    with page:
        async with anyio.create_task_group() as ticking:
            ticking.start_soon(tick)
            ticking.start_soon(hold)
            await page.signal("ReplyEnded", reply=0)
            yield page, recordings
            page.raw(None)
    assert page.closed is not None


async def test_a_sentence_is_answered(tmp_path: Path) -> None:
    """The draft begun at the pause is kept, its words are seen as they are heard, and the call can be viewed."""
    async with calling(tmp_path) as (page, recordings):
        assert page.told[0]["type"] == "began"
        await page.type("Tell me a story.")
        draft = await page.signal("Speculate")
        commit = await page.signal("Commit", reply=draft["reply"])
        assert (commit["transcript"], commit["speculative"], draft["why"]) == (
            "Tell me a story.",
            True,
            "eager end of turn",
        )
        said = await page.until(
            lambda told: told["type"] == "said" and told["reply"] > 0 and len(told["heard"].split()) == 5
        )
        assert said["heard"] == "Once there was a lighthouse"
        assert said["rest"].startswith("keeper who answered")
        floors = [(told["user"], told["state"]) for told in page.told if told["type"] == "floor"]
        assert [floor for floor in floors if floor[0] != "listening"] == [("speaking", None), ("ending", None)]
        assert floors[-2:] == [("listening", "pending"), ("listening", "audible")]
        confident = [
            told["confidence"] for told in page.told if told["type"] == "flux" and told["event"] == "EndOfTurn"
        ]
        assert confident[0] >= 0.7
        await anyio.sleep(1.0)  # until it is flushed
        assert "lighthouse" in recordings.view(page.told[0]["recording"])


async def test_it_is_recorded_where_the_page_can_have_it_viewed(tmp_path: Path) -> None:
    """Whatever else is said of sessions that say nothing of it."""
    (tmp_path / "own").mkdir()
    with recorded_in(f"{tmp_path}/default/"):
        async with calling(tmp_path / "own") as (page, recordings):
            name = page.told[0]["recording"]
    assert recordings.file(name) == tmp_path / "own" / f"{name}.jsonl"
    assert read(recordings.file(name)).ended == "closed"
    assert not (tmp_path / "default").exists()


async def test_barge_in_by_typing(tmp_path: Path) -> None:
    """The bot stops at the first word; how much was heard is told, and the words are answered."""
    async with calling(tmp_path) as (page, _):
        await page.type("Tell me a story.")
        await page.until(lambda told: told["type"] == "said" and told["reply"] > 0 and len(told["heard"].split()) == 8)
        await page.type("Sorry, wait a moment.", field=1)
        stopped = await page.signal("BargeIn")
        ended = await page.signal("ReplyEnded", reply=stopped["reply"])
        assert ended["outcome"] == "interrupted"
        assert ended["heard"].startswith("Once there was a lighthouse keeper who answered")
        assert not ended["heard"].endswith("here.")
        await page.signal("Commit", transcript="Sorry, wait a moment.")


async def test_a_backchannel_does_not_stop_the_bot_unless_that_is_chosen(tmp_path: Path) -> None:
    """The policy is another in the middle of the call, from the next word over the bot on."""
    async with calling(tmp_path) as (page, recordings):
        await page.type("Tell me a story.")
        await page.until(lambda told: told["type"] == "said" and told["heard"].startswith("Once there"))
        await page.type("mm-hm.", field=1)
        dropped = await page.signal("TurnDropped")
        assert (dropped["reason"], dropped["transcript"]) == ("overlap_kept", "mm-hm.")
        assert "BargeIn" not in page.signals()
        page.ask("policy", name="immediate")
        await page.until(lambda told: told["type"] == "policy" and told["name"] == "immediate")
        page.ask("policy", name="no such policy")
        await page.type("mm-hm.", field=2)
        await page.signal("BargeIn")
        await anyio.sleep(1.0)
        recording = recordings.file(page.told[0]["recording"])
        facts = [record for record in read(recording).records if isinstance(record, Fact)]
        chosen = [fact.fields["policy"] for fact in facts if fact.name == "PolicyChosen"]
        assert chosen == ["ignore-backchannels", "immediate"]
        page.ask("hang_up")
        await page.until(lambda told: told["type"] == "ended")
    # It is replayed as it was, first by one policy and then by the other; also where another setting is another.
    trace = read(recording)
    assert replay(trace).verified
    assert [turn.after for turn in replay(trace, hold_timeout=1.0).turns] == [
        turn.before for turn in replay(trace, hold_timeout=1.0).turns
    ]
    assert replay(trace, barge_in=Immediate()).differing != ()


async def test_a_pause_for_thought(tmp_path: Path) -> None:
    """Its draft is withdrawn when the keys go on, and the whole is answered."""
    async with calling(tmp_path) as (page, _):
        await page.type("I'd like a table")
        draft = await page.signal("Speculate")
        await page.until(lambda told: told["type"] == "draft" and told["reply"] == draft["reply"])
        await page.type(" for two, please.", before="I'd like a table")
        cancelled = await page.signal("Cancel", reply=draft["reply"])
        assert cancelled["reason"] == "resumed"
        commit = await page.signal("Commit", turn=draft["turn"])
        assert commit["transcript"] == "I'd like a table for two, please."
        assert all(told.get("reply") != draft["reply"] for told in page.told if told["type"] == "said")


async def test_thresholds_in_mid_call(tmp_path: Path) -> None:
    """Flux's answer comes to the page, with what is in force; what Flux would refuse is refused, and why is said."""
    async with calling(tmp_path) as (page, _):
        page.ask("configure", id=1, eot_threshold=0.85, eager_eot_threshold=0.6)
        answer = await page.until(lambda told: told["type"] == "configured")
        assert (answer["id"], answer["ok"]) == (1, True)
        assert answer["thresholds"] == {"eot_threshold": 0.85, "eager_eot_threshold": 0.6, "eot_timeout_ms": 3000}
        page.ask("configure", id=2, eager_eot_threshold=0.9)
        refused = await page.until(lambda told: told["type"] == "configured" and told["id"] == 2)
        assert not refused["ok"]
        assert "eager_eot_threshold=0.9" in refused["why"]
        page.ask("configure", id=3, eot_timeout_ms=1000)
        answer = await page.until(lambda told: told["type"] == "configured" and told["id"] == 3)
        assert answer["thresholds"]["eot_timeout_ms"] == 1000
        await page.type("well")
        ended = await page.until(lambda told: told["type"] == "flux" and told["event"] == "EndOfTurn")
        assert ended["trigger"] == "timeout"
        since = len(page.told)
        for number in range(10, 30):
            page.ask("configure", id=number, eot_threshold=0.7)
        for number in range(10, 30):
            await page.answer(number)
        answers = [told for told in page.told[since:] if told["type"] == "configured"]
        assert len(answers) == 20
        assert {told["why"] for told in answers if not told["ok"]} == {"too many at once"}


async def test_drafts_off(tmp_path: Path) -> None:
    """From the beginning: the answer begins at the end of the turn."""
    async with calling(tmp_path, eager_eot_threshold=0.0) as (page, _):
        await page.type("Tell me a story.")
        commit = await page.signal("Commit", transcript="Tell me a story.")
        assert commit["speculative"] is False
        assert "Speculate" not in page.signals()


async def test_hanging_up(tmp_path: Path) -> None:
    """In the middle of what the bot says: the page is told, and the websocket closed in good order."""
    async with calling(tmp_path) as (page, _):
        await page.type("Tell me a story.")
        await page.until(lambda told: told["type"] == "said" and told["heard"].startswith("Once"))
        page.ask("hang_up")
        assert (await page.until(lambda told: told["type"] == "ended"))["why"] == "hung_up"
    assert page.closed == 1000


@pytest.mark.parametrize(
    "frame",
    ["garbage", b"\0\1", "[]", '{"type":"typed"}', '{"type":"typed","text":5,"field":0}', '{"type":"dance"}',
     "x" * 20_000, "[" * 5000, '{"type":"configure","id":1,"eot_timeout_ms":1e99}'],
)  # fmt: skip
async def test_garbage_ends_the_call(tmp_path: Path, frame: str | bytes) -> None:
    """With its own close code, and a word on why."""
    async with calling(tmp_path) as (page, _):
        page.raw(frame)
        assert (await page.until(lambda told: told["type"] == "ended"))["why"] == "unreadable"
    assert page.closed == 1007


async def test_numbers_that_cannot_be() -> None:
    """Are refused before there is a call."""
    with pytest.raises(ConfigError, match="eot_threshold"):
        await hold_typing(None, Settings(eot_threshold=7.0), Recordings(Path()))


async def test_nobody_types(tmp_path: Path) -> None:
    """The call ends by itself, and says so."""
    async with calling(tmp_path, idle_timeout=20.0) as (page, _):
        page.ask("typed", text="", field=0)
        asked = anyio.current_time()
        assert (await page.until(lambda told: told["type"] == "ended"))["why"] == "idle"
        assert anyio.current_time() - asked == pytest.approx(20.0, abs=0.5)


async def test_a_page_that_reads_nothing(tmp_path: Path) -> None:
    """Is taken to be gone after some seconds, and its call ends."""
    async with calling(tmp_path) as (page, _):
        page.takes = False
        stopped = anyio.current_time()
        while page.closed is None:  # noqa: ASYNC110
            await anyio.sleep(0.1)
        assert anyio.current_time() - stopped < 10


def test_recordings_are_bounded(tmp_path: Path) -> None:
    """The oldest go; names that were never given find nothing."""
    recordings = Recordings(tmp_path)
    names = []
    for _ in range(55):
        name, path = recordings.new()
        path.write_text("x")
        names.append(name)
    assert len(list(tmp_path.iterdir())) == 50
    assert recordings.file(names[-1]).exists()
    for name in (names[0], "..", "../../etc/passwd", ""):
        with pytest.raises(KeyError):
            recordings.file(name)
