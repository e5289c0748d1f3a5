"""The fake phone: it plays in real time, gives marks back as the services do, and complains of what they refuse."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from turnkit.errors import ConfigError
from turnkit.testing import FakePhone
from turnkit.testing.phone_lines import CALL, LINES, STREAM


def sound(seconds: float) -> str:
    payload = b64encode(b"\x10" * int(8000 * seconds)).decode()
    return json.dumps({"event": "media", "streamSid": STREAM, "media": {"payload": payload}})


def mark(name: str) -> str:
    return json.dumps({"event": "mark", "streamSid": STREAM, "mark": {"name": name}})


CLEAR = json.dumps({"event": "clear", "streamSid": STREAM})


async def called(phone: FakePhone, bot: Callable[[Any], Awaitable[None]]) -> list[tuple[float, dict[str, Any]]]:
    """Hold a call, in which the bot does this and then hangs up; gives what the bot was told, save audio."""
    told: list[tuple[float, dict[str, Any]]] = []
    began = anyio.current_time()

    async def read() -> None:
        while (message := await phone.websocket.receive()) is not None:
            event = json.loads(message)
            if event["event"] != "media":
                told.append((round(anyio.current_time() - began, 3), event))

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.call)
            tasks.start_soon(read)
            await bot(phone.websocket)
            await phone.websocket.close()
    return told


@pytest.mark.anyio
async def test_marks_come_back_when_what_is_before_them_was_played() -> None:
    """In real time, one sound after the other without a gap; a mark behind nothing comes back at once."""
    phone = FakePhone()

    async def bot(websocket: Any) -> None:
        for message in (mark("first"), sound(0.5), mark("half"), sound(0.25), mark("end")):
            await websocket.send(message)
        await anyio.sleep(1)

    told = await called(phone, bot)
    marks = [(at, event["mark"]["name"]) for at, event in told if event["event"] == "mark"]
    assert marks == [(0.0, "first"), (0.5, "half"), (0.75, "end")]
    assert phone.heard_seconds == 0.75
    assert phone.ended == "bot"
    assert phone.complaints == []


@pytest.mark.anyio
async def test_a_clear_gives_all_marks_back() -> None:
    """Those that were dropped at once, and nothing more is heard."""
    phone = FakePhone()

    async def bot(websocket: Any) -> None:
        for message in (sound(0.5), mark("half"), sound(0.5), mark("end")):
            await websocket.send(message)
        await anyio.sleep(0.3)
        await websocket.send(CLEAR)
        await anyio.sleep(2)

    told = await called(phone, bot)
    assert [(at, event["mark"]["name"]) for at, event in told if event["event"] == "mark"] == [
        (0.3, "half"),
        (0.3, "end"),
    ]
    assert phone.heard_seconds == pytest.approx(0.3, abs=0.001)


@pytest.mark.anyio
@pytest.mark.parametrize("line", sorted(LINES))
async def test_what_each_service_says(line: Any) -> None:
    """Of the beginning, of keys and of the end, with its own names."""
    phone = FakePhone(line=line, parameters={"customer": "17"})

    async def bot(websocket: Any) -> None:
        phone.press("1#")
        phone.hang_up()
        await anyio.sleep(1)

    told = [event for _, event in await called(phone, bot)]
    kinds = [event["event"] for event in told]
    assert (
        kinds
        == {
            "twilio": ["connected", "start", "dtmf", "dtmf", "stop"],
            "telnyx": ["connected", "start", "dtmf", "dtmf", "stop"],
            "plivo": ["start", "dtmf", "dtmf"],
        }[line]
    )
    start = told[kinds.index("start")]
    assert CALL in str(start)
    assert STREAM in str(start)
    assert "17" in str(start)
    assert [event["dtmf"]["digit"] for event in told if event["event"] == "dtmf"] == ["1", "#"]
    assert phone.ended == "caller"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("line", "message", "complaint"),
    [
        ("twilio", "garbage", "Expecting value"),
        ("twilio", "[]", "not a JSON object"),
        ("twilio", b"{}", "not a JSON object"),
        ("twilio", '{"event": "clear", "streamSid": "another"}', "streamSid is not that of the call"),
        ("twilio", sound(0.1).replace("media", "medium", 1), "'medium' is not taken"),
        ("twilio", sound(0.1).replace("EBAQ", "%%%%"), "no payload in base64"),
        ("telnyx", sound(0.01), "80 bytes of audio are not 20 ms to 30 s"),
        ("plivo", '{"event": "playAudio", "media": {"payload": ""}}', "'playAudio' is not taken as it is"),
    ],
)
async def test_complaints(line: Any, message: str | bytes, complaint: str) -> None:
    phone = FakePhone(line=line)

    async def bot(websocket: Any) -> None:
        await websocket.send(message)
        await anyio.sleep(0.1)

    await called(phone, bot)
    assert len(phone.complaints) == 1
    assert complaint in phone.complaints[0]
    assert phone.heard_seconds == 0


@pytest.mark.anyio
async def test_it_vanishes_without_a_word_and_is_late_if_told_to() -> None:
    phone = FakePhone(latency=0.25)

    async def bot(websocket: Any) -> None:
        await anyio.sleep(1)
        phone.vanish()
        await anyio.sleep(1)

    told = await called(phone, bot)
    assert [(at, event["event"]) for at, event in told] == [(0.25, "connected"), (0.25, "start")]
    assert phone.ended == "caller"


def test_a_service_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match="line='pigeon': must be one of twilio, telnyx, plivo"):
        FakePhone(line="pigeon")  # type: ignore[arg-type]


def test_its_clock_does_not_wait_for_a_late_loop() -> None:
    """A service plays what it has by a clock of its own, whatever else the program does; by the real clock."""
    phone = FakePhone()
    blocked = 0.03  # longer than what is left of a piece, again and again

    async def looks() -> int:
        count = 0
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.call)
            for _ in range(20):
                await phone.websocket.send(sound(0.02))
            while phone.heard_seconds < 0.4:
                count += 1
                time.sleep(blocked)  # noqa: ASYNC251  # what a busy program does
                await anyio.sleep(0.001)  # and a look at what is due
            tasks.cancel_scope.cancel()
        return count

    assert anyio.run(looks) < 20  # 14 make 0.4 s; no look for each of the 20 pieces
    assert phone.heard_seconds == pytest.approx(0.4)
