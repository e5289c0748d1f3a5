"""Phone calls, over each of the services: what the caller hears, interrupts, holds and presses, and how a call ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from tests.support.phone_calls import PhoneBot, ScriptedFlux, on_the_phone
from tests.support.sessions import turn
from turnkit.interop import twilio
from turnkit.interop.telephone import Call, CallEnd
from turnkit.session import Reply, Session
from turnkit.testing import FakePhone
from turnkit.turns.events import EndOfTurn, StartOfTurn, TurnStarted, Update
from turnkit.turns.policy import HoldThenDecide, MinWords
from turnkit.wire import FluxOptions

SERVICES = ["twilio", "telnyx", "plivo"]
ANSWER = "One two three four five six seven eight"  # of two seconds
ASK = turn(0, "Hello?")


@pytest.mark.anyio
@pytest.mark.parametrize("service", SERVICES)
async def test_a_call(service: str) -> None:
    """The caller is heard, and hears the answer to its end; the audio is mu-law at 8 kHz, both ways."""
    phone = FakePhone(line=service, parameters={"customer": "17"}, audio=bytes(range(160)))  # type: ignore[arg-type]
    bot, flux = PhoneBot(), ScriptedFlux(1.0, *ASK)
    options = FluxOptions(eot_threshold=0.8)
    end = await on_the_phone(phone, bot, flux, 5.0, phone.hang_up, service=service, options=options)
    assert end == (CallEnd.LOST if service == "plivo" else CallEnd.STOPPED)
    assert phone.complaints == []
    assert bot.ends == [("finished", ANSWER)]
    assert bytes(phone.heard).rstrip(b"\xff") == b"\x2a" * 16000
    assert flux.options == FluxOptions(encoding="mulaw", sample_rate=8000, eot_threshold=0.8)
    assert flux.audio[:320] == bytes(range(160)) + b"\xff" * 160
    assert len(flux.audio) == pytest.approx(5 * 8000, abs=320)
    assert bot.call is not None
    assert "17" in str(bot.call.parameters)


@pytest.mark.anyio
@pytest.mark.parametrize("service", SERVICES)
async def test_barge_in(service: str) -> None:
    """The clear is on the wire in the moment of the barge-in, nothing after it; heard is what had come back by then.

    The marks that the clear drops come back too, and count for nothing.
    """
    phone = FakePhone(line=service, latency=0.1)  # type: ignore[arg-type]
    bot, flux = PhoneBot(), ScriptedFlux(1.0, *ASK, 1.3, StartOfTurn(1, "Stop"))
    await on_the_phone(phone, bot, flux, 6.0, phone.hang_up, service=service)
    clears = [at for at, message in phone.came if message["event"] in ("clear", "clearAudio")]
    assert clears == [pytest.approx(0.1 + 2.3, abs=1e-3)]
    assert phone.events()[-1] in ("clear", "clearAudio")
    assert bot.ends == [("interrupted", "One two three four")]  # 1.3 s were played, 1.2 s of them known to be
    assert phone.heard_seconds == pytest.approx(1.3, abs=0.01)
    assert phone.complaints == []


@pytest.mark.anyio
@pytest.mark.parametrize("service", SERVICES)
async def test_a_hold_is_resumed_from_the_last_mark(service: str) -> None:
    """What was on its way is heard again, nothing is skipped, and the reply is heard to its end."""
    phone = FakePhone(line=service, latency=0.1)  # type: ignore[arg-type]
    bot = PhoneBot(barge_in=HoldThenDecide(MinWords(2)))
    flux = ScriptedFlux(1.0, *ASK, 1.0, StartOfTurn(1, "Mm-hm"), 0.8, EndOfTurn(1, "Mm-hm", 0.9))
    end = await on_the_phone(phone, bot, flux, 8.0, phone.hang_up, service=service)
    assert end != CallEnd.REFUSED
    assert bot.ends == [("finished", ANSWER)]
    clears = [at for at, message in phone.came if message["event"].startswith("clear")]
    assert clears == [pytest.approx(0.1 + 2.0, abs=1e-3)]
    silence = [at for at, _ in phone.came if clears[0] < at < 0.1 + 2.8 - 1e-3]
    assert silence == []
    assert 2.0 + 0.1 <= phone.heard_seconds <= 2.0 + 0.22
    assert phone.complaints == []


@pytest.mark.anyio
async def test_a_pending_reply_that_is_replaced_is_not_heard() -> None:
    """Its audio is out, no mark has come back, and the caller goes on: the phone is cleared in that moment."""
    phone = FakePhone(latency=0.3)
    bot = PhoneBot()
    flux = ScriptedFlux(1.0, *ASK, 0.2, StartOfTurn(1, "And"), Update(1, "And then?"), 1.0, *turn(1, "And then?")[1:])
    await on_the_phone(phone, bot, flux, 6.0, phone.hang_up)
    assert [at for at, message in phone.came if message["event"] == "clear"] == [pytest.approx(0.3 + 1.2, abs=1e-3)]
    assert bot.ends[0][0] == "cancelled"
    assert bot.ends[-1] == ("finished", ANSWER)


# Keys ---------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("service", SERVICES)
async def test_a_key_interrupts_and_is_a_turn(service: str) -> None:
    """The bot is silent at the first key; the keys are one turn once no more come."""
    phone = FakePhone(line=service)  # type: ignore[arg-type]
    bot, flux = PhoneBot(), ScriptedFlux(1.0, *ASK)
    acts = (2.0, lambda: phone.press("4"), 0.9, lambda: phone.press("2"), 5.0, phone.hang_up)
    await on_the_phone(phone, bot, flux, *acts, service=service)
    assert [at for at, message in phone.came if message["event"].startswith("clear")] == [pytest.approx(2.0, abs=1e-3)]
    assert bot.said == ["Hello?", "Pressed 42."]
    assert bot.ends[0][0] == "interrupted"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("pressed", "settings", "said"),
    [
        ("42#", {}, ["Pressed 42."]),
        ("42#7", {}, ["Pressed 42.", "Pressed 7."]),
        ("#", {}, ["Pressed #."]),
        ("42", {"key_pause": 0}, ["Pressed 4.", "Pressed 2."]),
        ("0", {"keys": {"0": "An operator, please."}.get}, ["An operator, please."]),
        ("9", {"keys": {"0": "An operator, please."}.get}, []),
    ],
)
async def test_what_keys_mean(pressed: str, settings: dict[str, Any], said: list[str]) -> None:
    phone, bot = FakePhone(), PhoneBot()
    await on_the_phone(phone, bot, ScriptedFlux(), 1.0, lambda: phone.press(pressed), 6.0, phone.hang_up, **settings)
    assert " ".join(bot.said) == " ".join(said)


# The end ------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("how", ["hang_up", "vanish"])
async def test_who_is_gone_is_not_drained(service: str, how: str) -> None:
    """The reply ends in the moment in which the caller is gone, with what they had heard."""
    phone = FakePhone(line=service)  # type: ignore[arg-type]
    bot, flux = PhoneBot(), ScriptedFlux(1.0, *ASK)
    began = anyio.current_time()
    end = await on_the_phone(phone, bot, flux, 2.0, getattr(phone, how), service=service)
    assert end == (CallEnd.STOPPED if how == "hang_up" and service != "plivo" else CallEnd.LOST)
    assert bot.ends == [("interrupted", "One two three")]
    assert anyio.current_time() - began == pytest.approx(2.0, abs=0.01)
    assert flux.closed


@pytest.mark.anyio
async def test_the_bot_hangs_up_after_its_last_words() -> None:
    """Which are heard to their end before the websocket is closed; marks that come after that are read, and ignored."""

    class Farewell(PhoneBot):
        async def respond(self, reply: Reply) -> None:
            await reply.say("Good bye")
            reply.end_speech()
            await reply.heard_so_far()
            assert self.call is not None
            self.call.hang_up()

    phone, bot = FakePhone(latency=0.1), Farewell()
    end = await on_the_phone(phone, bot, ScriptedFlux(1.0, *ASK))
    assert end == CallEnd.HUNG_UP
    assert phone.ended == "bot"
    assert bot.ends == [("finished", "Good bye")]
    assert phone.heard_seconds == pytest.approx(0.5)


@pytest.mark.anyio
async def test_a_call_that_is_not_taken() -> None:
    """The bot hangs up where it makes the session: Flux is not asked for."""
    phone, bot, flux = FakePhone(), PhoneBot(), ScriptedFlux()

    def make_session(call: Call) -> Session:
        call.hang_up()
        return PhoneBot().make_session(call)

    bot.make_session = make_session  # type: ignore[method-assign]
    assert await on_the_phone(phone, bot, flux) == CallEnd.HUNG_UP
    assert phone.ended == "bot"
    assert flux.options is None


def hang_up(bot: PhoneBot) -> None:
    assert bot.call is not None
    bot.call.hang_up()


@pytest.mark.anyio
async def test_the_phone_is_hung_up_before_the_rest_of_flux_is_waited_for() -> None:
    """Which may take its time: the caller is not to hear that."""

    class Slow(ScriptedFlux):
        @asynccontextmanager
        async def connect(self, options: FluxOptions) -> AsyncIterator[ScriptedFlux]:
            async with super().connect(options):
                yield self
                await anyio.sleep(2)
                assert phone.ended == "bot"
                self.waited = True

    phone, bot, flux = FakePhone(), PhoneBot(), Slow(0.5, lambda: hang_up(bot))
    assert await on_the_phone(phone, bot, flux) == CallEnd.HUNG_UP
    assert flux.waited


@pytest.mark.anyio
async def test_a_caller_who_is_gone_before_flux_is_there() -> None:
    """Nobody waits for it."""
    phone, bot = FakePhone(), PhoneBot()
    flux = ScriptedFlux(delay=30.0)
    began = anyio.current_time()
    assert await on_the_phone(phone, bot, flux, 0.5, phone.hang_up) == CallEnd.STOPPED
    assert anyio.current_time() - began == pytest.approx(0.5, abs=0.01)


@pytest.mark.anyio
async def test_what_is_said_while_flux_is_being_connected_is_not_lost() -> None:
    phone, bot = FakePhone(audio=bytes(8000)), PhoneBot()
    flux = ScriptedFlux(delay=2.0)
    await on_the_phone(phone, bot, flux, 3.0, phone.hang_up)
    assert flux.audio.startswith(bytes(8000))
    assert len(flux.audio) == pytest.approx(3 * 8000, abs=640)  # a frame to Flux


@pytest.mark.anyio
async def test_the_bot_may_hang_up_on_a_word() -> None:
    """From a callback, and before it has said any; an async function may make its session."""
    phone, bot = FakePhone(), PhoneBot()

    async def make_session(call: Call) -> Session:
        await anyio.sleep(0.1)
        session = PhoneBot().make_session(call)
        session.on(TurnStarted, lambda turn: call.hang_up())
        return session

    bot.make_session = make_session  # type: ignore[assignment,method-assign]
    assert await on_the_phone(phone, bot, ScriptedFlux(1.0, *ASK)) == CallEnd.HUNG_UP
    assert phone.ended == "bot"
    assert phone.heard_seconds == 0


# The beginning ------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_greeting() -> None:
    """It is said as soon as Flux listens, and can be interrupted."""
    phone, bot = FakePhone(), PhoneBot()
    flux = ScriptedFlux(1.2, StartOfTurn(0, "Hello"))
    await on_the_phone(phone, bot, flux, 4.0, phone.hang_up, greeting="Good morning this is your bank")
    assert phone.came[0][0] == pytest.approx(0.0, abs=0.01)
    assert bot.ends == [("interrupted", "Good morning this is")]


@pytest.mark.anyio
async def test_a_greeting_that_is_protected() -> None:
    """What is said over it is answered after it."""
    phone, bot = FakePhone(), PhoneBot("Yes")
    flux = ScriptedFlux(0.6, *ASK)

    def greet(session: Session) -> None:
        session.initiate("This call is recorded", protected=True)

    await on_the_phone(phone, bot, flux, 4.0, phone.hang_up, greeting=greet)
    assert bot.ends == [("finished", "This call is recorded"), ("finished", "Yes")]


@pytest.mark.anyio
async def test_a_greeting_that_fails_ends_the_call() -> None:
    """And is raised as it is."""
    phone, bot = FakePhone(), PhoneBot()

    def greet(session: Session) -> None:
        raise ZeroDivisionError

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(phone.call)
        with pytest.raises(ZeroDivisionError):
            await twilio.hold_call(phone.websocket, bot.make_session, connect=ScriptedFlux().connect, greeting=greet)
    assert phone.ended == "bot"
