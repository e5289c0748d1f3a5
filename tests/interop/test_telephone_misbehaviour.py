"""Peers that are no telephone service, or a broken one: that call ends cleanly, and others go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import structlog

from tests.support.phone_calls import PhoneBot, ScriptedFlux, on_the_phone
from tests.support.sessions import turn
from turnkit.errors import ConfigError, ConnectionFailed, FluxError
from turnkit.interop import twilio
from turnkit.interop.telephone import Call, CallEnd
from turnkit.session import Session
from turnkit.testing import FakePhone
from turnkit.testing.phone_lines import STREAM

ASK = turn(0, "Hello?")
ANSWER = "One two three four five six seven eight"
NONSENSE: list[str | bytes] = [
    "",
    "garbage",
    b"\x00\x01 binary",
    b'{"event": "stop"}',
    "[]",
    "null",
    '"start"',
    '{"event": "media"}',
    '{"event": "media", "media": {"payload": "%%%"}}',
    '{"event": "media", "media": {"payload": 17}}',
    '{"event": "media", "media": []}',
    '{"event": "mark"}',
    '{"event": "dtmf", "dtmf": null}',
    '{"event": "start"}',
    '{"event": "start", "start": {"streamSid": "x", "callSid": "y", "mediaFormat": {"encoding": "audio/l16"}}}',
    "[" * 100_000,
    '{"event": "media", "media": {"payload": "\ud800"}}',
]
HARMLESS = [
    '{"event": "connected"}',
    '{"event": "tomorrow", "news": []}',
    '{"event": 17}',
    "{}",
    '{"event": "mark", "mark": {"name": "somebody else\'s"}}',
    '{"event": "mark", "mark": {"name": "1:inf"}}',
    '{"event": "mark", "mark": {"name": "999999999999999999999:nan"}}',
    '{"event": "mark", "mark": {"name": null}}',
    '{"event": "dtmf", "dtmf": {"digit": "42"}}',
    '{"event": "dtmf", "dtmf": {"digit": 4}}',
    '{"event": "media", "media": {"track": "outbound", "payload": "AAAA"}}',
    '{"event": "start", "start": {"streamSid": "another", "callSid": "call"}}',
]


@pytest.mark.anyio
@pytest.mark.parametrize("nonsense", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("when", [0.0, 2.0])
async def test_nonsense_ends_the_call(nonsense: str | bytes, when: float) -> None:
    """Before it has begun and in the middle of a reply, at once; the log says why and quotes nothing."""
    phone, bot = FakePhone(start=when > 0), PhoneBot()
    with structlog.testing.capture_logs() as logs:
        end = await on_the_phone(phone, bot, ScriptedFlux(1.0, *ASK), when, lambda: phone.send(nonsense))
    assert end == CallEnd.REFUSED
    assert bot.ends == ([("interrupted", "One two three")] if when else [])
    assert phone.ended == "bot"
    (refused,) = [entry for entry in logs if entry["event"] == "phone_call_refused"]
    assert not nonsense or str(nonsense) not in str(refused)


@pytest.mark.anyio
@pytest.mark.parametrize("message", HARMLESS)
async def test_what_means_nothing_here_is_ignored(message: str) -> None:
    """A service may say more than it did when this was written; a mark may be somebody else's."""
    phone, bot = FakePhone(), PhoneBot()
    end = await on_the_phone(phone, bot, ScriptedFlux(1.0, *ASK), 1.5, lambda: phone.send(message), 3.0, phone.hang_up)
    assert end == CallEnd.STOPPED
    assert bot.ends == [("finished", ANSWER)]
    assert phone.heard_seconds == pytest.approx(2.0)


@pytest.mark.anyio
async def test_no_start() -> None:
    """Audio comes, and the call never begins: nobody is asked for a session, and Flux is left alone."""
    phone, bot, flux = FakePhone(start=False), PhoneBot(), ScriptedFlux()
    assert await on_the_phone(phone, bot, flux, start_timeout=3.0) == CallEnd.REFUSED
    assert bot.call is None
    assert flux.options is None


@pytest.mark.anyio
async def test_frames_out_of_order() -> None:
    """Media before the start, and all of it once more after the stop: nothing is raised, nothing begins anew."""
    phone, bot, flux = FakePhone(start=False), PhoneBot(), ScriptedFlux(1.0, *ASK)
    hello = [json.dumps(message) for message in FakePhone()._line.hello({})]
    stop = json.dumps({"event": "stop", "streamSid": STREAM})

    def after_the_end() -> None:
        for message in (stop, *hello, json.dumps({"event": "dtmf", "dtmf": {"digit": "1"}}), "garbage"):
            phone.send(message)
        phone.hang_up()

    acts = (0.5, lambda: phone.send(hello[1]), lambda: phone.send(hello[0]), 2.0, after_the_end)
    assert await on_the_phone(phone, bot, flux, *acts) == CallEnd.STOPPED
    assert bot.said == ["Hello?"]
    assert bot.ends[0][0] == "interrupted"


@pytest.mark.anyio
async def test_a_peer_that_falls_silent() -> None:
    """The websocket is open and nothing comes: a caller's line is never silent, so there is none."""

    class Silent(FakePhone):
        async def _speak(self) -> None:
            await anyio.sleep_forever()

    phone, bot = Silent(), PhoneBot()
    began = anyio.current_time()
    assert await on_the_phone(phone, bot, ScriptedFlux(), message_timeout=20.0) == CallEnd.LOST
    assert 20.0 <= anyio.current_time() - began < 20.0 * 17 / 16 + 0.1


@pytest.mark.anyio
async def test_a_peer_that_reads_no_longer() -> None:
    """Frames that it does not take end the call; the websocket is closed without waiting for it for ever."""
    phone, bot = FakePhone(), PhoneBot()

    class Stuck:
        receive = staticmethod(phone.websocket.receive)
        close = staticmethod(anyio.sleep_forever)

        async def send(self, message: str | bytes) -> None:
            await anyio.sleep_forever()

    ends: list[CallEnd] = []

    async def answer() -> None:
        ends.append(await twilio.hold_call(Stuck(), bot.make_session, connect=ScriptedFlux(1.0, *ASK).connect))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(phone.call)
            await answer()
            tasks.cancel_scope.cancel()
    assert ends == [CallEnd.LOST]
    assert bot.ends[0][1] == ""


@pytest.mark.anyio
async def test_the_others_go_on() -> None:
    """Five calls at once, of which four come to a bad end in four ways."""
    phones = [FakePhone(start=number != 3) for number in range(5)]
    bots = [PhoneBot() for _ in phones]
    ends: dict[int, CallEnd] = {}
    acts: list[tuple[object, ...]] = [
        (4.0, phones[0].hang_up),
        (2.0, phones[1].vanish),
        (2.0, lambda: phones[2].send(b"\xff" * 1000)),
        (),
        (2.0, lambda: phones[4].send("garbage")),
    ]

    async def hold(number: int) -> None:
        ends[number] = await on_the_phone(phones[number], bots[number], ScriptedFlux(1.0, *ASK), *acts[number])

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(hold, number)
    assert [ends[number].value for number in range(5)] == ["stopped", "lost", "refused", "refused", "refused"]
    assert bots[0].ends == [("finished", ANSWER)]
    assert phones[0].heard_seconds == pytest.approx(2.0)


# What is not the peer's fault -----------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error", [FluxError("INVALID_AUTH", status=401), ConnectionFailed("down"), ValueError("yours")]
)
async def test_what_flux_or_the_bot_raises_is_raised(error: Exception) -> None:
    """As it is, in no group, once the websocket is closed."""
    phone, bot = FakePhone(), PhoneBot()

    def broken(*_: object) -> Any:
        raise error

    where: dict[str, Callable[..., Any]] = {"connect": broken}
    if isinstance(error, ValueError):
        bot.make_session = broken  # type: ignore[assignment,method-assign]
        where = {"connect": ScriptedFlux().connect}
    raised: list[Exception] = []

    async def answer() -> None:
        try:
            await twilio.hold_call(phone.websocket, bot.make_session, **where)
        except Exception as failure:
            raised.append(failure)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer)
        await phone.call()
    assert raised == [error]
    assert phone.ended == "bot"


@pytest.mark.anyio
async def test_what_keys_raise_is_raised() -> None:
    """As it is, once the websocket is closed."""
    phone, bot = FakePhone(), PhoneBot()

    def make_session(call: Call) -> Session:
        phone.press("1#")  # not before: what is pressed while there is no session says nothing
        return bot.make_session(call)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.call)
        with pytest.raises(KeyError):
            await twilio.hold_call(
                phone.websocket, make_session, connect=ScriptedFlux().connect, keys={}.__getitem__, key_pause=0
            )
    assert phone.ended == "bot"


@pytest.mark.anyio
async def test_a_bot_that_makes_no_session() -> None:
    phone = FakePhone()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.call)
        with pytest.raises(ConfigError, match="make_session gave NoneType; must be the Session of this call"):
            await twilio.hold_call(phone.websocket, lambda call: None, connect=ScriptedFlux().connect)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start_timeout": 0}, "start_timeout=0"),
        ({"message_timeout": -1}, "message_timeout=-1"),
        ({"key_pause": None}, "key_pause=None"),
        ({"lead": 0}, "lead=0"),
        ({"options": {}}, "options: must be FluxOptions, not dict"),
    ],
)
async def test_settings_that_cannot_work(settings: dict[str, Any], message: str) -> None:
    """They are refused before anything is read."""
    with pytest.raises(ConfigError, match=message):
        await twilio.hold_call(FakePhone().websocket, PhoneBot().make_session, **settings)
    with pytest.raises(ConfigError, match="websocket: object is no websocket known here"):
        await twilio.hold_call(object(), PhoneBot().make_session)


@pytest.mark.anyio
async def test_a_server_that_shuts_down() -> None:
    """Cancelled, as servers do: the reply ends, the websocket is closed, the cancellation goes on."""
    phone, bot, flux = FakePhone(), PhoneBot(), ScriptedFlux(1.0, *ASK)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.call)
        with anyio.move_on_after(2.0) as scope:
            await twilio.hold_call(phone.websocket, bot.make_session, connect=flux.connect)
    assert scope.cancelled_caught
    assert phone.ended == "bot"
    assert bot.ends == [("interrupted", "One two three")]
