"""Phone calls over real sockets, for each kind of server: what holds over the one in memory holds over them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from tests.support.phone_calls import PhoneBot, ScriptedFlux
from tests.support.sessions import turn
from tests.support.web_server import comes_true
from turnkit.interop import twilio
from turnkit.interop.telephone import Call
from turnkit.session import Session
from turnkit.testing import FakePhone
from turnkit.turns.chart import ReplyState
from turnkit.turns.events import ReplyEnded, StartOfTurn

ANSWER = "One two three four"  # of one second
LONG = " ".join([ANSWER] * 20)
STEPS = (0.1, *turn(0, "Hello?"))
Dial = Callable[[FakePhone], Coroutine[Any, Any, None]]


class PhoneServer:
    """What a server does with each call: by the number that the phone gives as a parameter."""

    def __init__(self) -> None:
        self.ends: list[str] = []
        self.bots: dict[str, PhoneBot] = {}
        self.sessions: dict[str, Session] = {}
        self.raised: list[BaseException] = []
        self.plans: dict[str, tuple[tuple[object, ...], Callable[[Call], object]]] = {}
        self._changed = anyio.Event()

    def phone(self, number: str, *steps: object, then: Callable[[Call], object] = repr) -> FakePhone:
        """A phone, and what happens in its call besides: further steps of Flux, and at the end of the reply."""
        self.plans[number] = (steps, then)
        return FakePhone(parameters={"number": number})

    async def answer(self, websocket: Any) -> None:
        """Hold the call on this websocket, which was accepted."""
        flux = ScriptedFlux(*STEPS)

        def make_session(call: Call) -> Session:
            number = call.parameters["number"]
            bot = self.bots[number] = PhoneBot(LONG if number == "stopped" else ANSWER)
            more, then = self.plans[number]
            flux.steps = (*STEPS, *more)
            session = self.sessions[number] = bot.make_session(call)
            session.on(ReplyEnded, lambda end: then(call))
            return session

        try:
            end = await twilio.hold_call(websocket, make_session, connect=flux.connect, start_timeout=2.0)
            self.ends.append(end.value)
        except BaseException as error:
            self.raised.append(error)
            raise
        finally:
            self._changed.set()

    async def speaks(self, number: str) -> None:
        """Wait until the bot is known to be heard, which takes as long as it takes."""
        await comes_true(lambda: (self.sessions[number].floor or (0, None))[1] is ReplyState.AUDIBLE)

    def hang_up(self, number: str) -> None:
        """Have the bot hang up."""
        call = self.bots[number].call
        assert call is not None
        call.hang_up()

    async def until(self, count: int) -> None:
        """Wait until so many calls have ended: a server may learn late that a phone is gone."""
        while len(self.ends) < count and not self.raised:
            await self._changed.wait()
            self._changed = anyio.Event()


async def put_to_the_test(server: PhoneServer, dial: Dial) -> None:
    """Calls: heard to its end, interrupted and hung up by the bot, gone, garbage, and no call at all; all at once."""
    heard: FakePhone = server.phone("heard", then=lambda call: heard.hang_up())
    interrupted = (lambda: server.speaks("stopped"), StartOfTurn(1, "Stop"), 0.3, lambda: server.hang_up("stopped"))
    stopped = server.phone("stopped", *interrupted)
    gone: FakePhone = server.phone("gone", 0.3, lambda: gone.vanish())
    binary: FakePhone = server.phone("binary", 0.3, lambda: binary.send(b"\xff"))
    garbage: FakePhone = server.phone("garbage", 0.3, lambda: garbage.send("garbage"))
    nobody = FakePhone(start=False)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for phone in (heard, stopped, gone, binary, garbage, nobody):
                tasks.start_soon(dial, phone)
        await server.until(6)
    assert server.raised == []
    assert sorted(server.ends) == ["hung_up", "lost", "refused", "refused", "refused", "stopped"]
    assert heard.complaints == []
    assert heard.heard_seconds == 1.0
    assert server.bots["heard"].ends == [("finished", ANSWER)]
    assert stopped.events()[-1] == "clear"
    assert stopped.heard_seconds < 20.0
    assert server.bots["stopped"].ends[0][0] == "interrupted"
