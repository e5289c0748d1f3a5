"""Calls from a page: what is heard, interrupted and held, and how a call ends, whoever ends it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.support.pages import MICROPHONE, RATE, FakePage, PageBot, in_the_page
from tests.support.phone_calls import ScriptedFlux
from tests.support.sessions import turn
from turnkit.errors import ConfigError, ConnectionFailed, LocalProtocolError
from turnkit.interop import browser
from turnkit.session import Reply, Session
from turnkit.turns.events import EndOfTurn, StartOfTurn
from turnkit.turns.policy import HoldThenDecide, MinWords
from turnkit.wire import FluxOptions

ANSWER = "One two three four five six seven eight"  # of two seconds
ASK = turn(0, "Hello?")


@pytest.mark.anyio
async def test_a_call() -> None:
    """The page is heard, and hears the answer to its end; Flux is told how the page's audio is."""
    page, bot = FakePage(), PageBot()
    flux = ScriptedFlux(1.0, *ASK)
    await in_the_page(page, bot, flux, 5.0, page.hang_up, options=FluxOptions(eot_threshold=0.8, sample_rate=8000))
    assert bot.said == ["Hello?"]
    assert bot.ends == [("finished", ANSWER)]
    assert page.kinds == ["begin"]
    assert page.heard == pytest.approx(2.0)
    assert page.code == 1000
    assert flux.options == FluxOptions(encoding="linear16", sample_rate=16000, eot_threshold=0.8)
    assert flux.closed
    assert bytes(flux.audio[:640]) == MICROPHONE
    assert len(flux.audio) == pytest.approx(5 * 32000, abs=1280)


@pytest.mark.anyio
async def test_barge_in() -> None:
    """The page is told in the moment of the barge-in; what it still says of the reply that was dropped is nothing."""
    page, bot = FakePage(), PageBot()
    flux = ScriptedFlux(1.0, *ASK, 1.1, StartOfTurn(1, "Stop"), 1.0, EndOfTurn(1, "Stop.", 0.9, trigger="model"))
    late = {"type": "played", "epoch": 1, "played": 1.9}
    await in_the_page(page, bot, flux, 2.2, lambda: page.say(late), 4.0, page.hang_up)
    assert page.kinds == ["begin", "clear", "begin"]
    (cleared,) = [at for at, frame in page.frames if frame["type"] == "clear"]
    assert cleared == pytest.approx(2.1, abs=0.001)
    assert bot.ends == [("interrupted", "One two three four"), ("finished", ANSWER)]
    epochs = [frame["epoch"] for _, frame in page.frames]
    assert epochs[0] == epochs[1] < epochs[2]


@pytest.mark.anyio
async def test_hold_and_resume() -> None:
    """A held reply is silent at the page, keeps what it has, and is then heard to its end."""
    page, bot = FakePage(), PageBot(barge_in=HoldThenDecide(MinWords(2), 1.0), hold_timeout=2.0)
    flux = ScriptedFlux(1.0, *ASK, 1.1, StartOfTurn(1, "Mm"))
    await in_the_page(page, bot, flux, 7.0, page.hang_up)
    assert page.kinds == ["begin", "pause", "resume"]
    held, resumed = (at for at, frame in page.frames[1:])
    assert held == pytest.approx(2.1, abs=0.001)
    assert resumed == pytest.approx(4.1, abs=0.001)
    assert page.heard == pytest.approx(2.0)
    assert bot.ends == [("finished", ANSWER)]


@pytest.mark.anyio
async def test_they_tell_each_other_things() -> None:
    """Data goes both ways; a callback that fails does no harm, and what is no JSON is refused."""
    page, bot = FakePage(), PageBot()

    def say() -> None:
        assert bot.call is not None
        bot.call.on_message(lambda data: data["no such key"])
        bot.call.send({"turn": 0, "text": "Grüße"})
        with pytest.raises(LocalProtocolError, match="JSON cannot say dict"):
            bot.call.send({"turn": object()})
        assert "Call of a page" in repr(bot.call)

    typed = {"type": "message", "data": {"typed": "Hello"}}
    await in_the_page(page, bot, ScriptedFlux(), 1.0, say, lambda: page.say(typed), 1.0, page.hang_up)
    assert page.messages == [{"turn": 0, "text": "Grüße"}]
    assert bot.told == [{"typed": "Hello"}]
    assert page.code == 1000


@pytest.mark.anyio
async def test_the_bot_hangs_up() -> None:
    """After the last word; what was sent to the page goes out before the end."""
    page, bot = FakePage(), PageBot()

    async def respond(reply: Reply) -> None:
        assert bot.call is not None
        await reply.say(ANSWER)
        reply.end_speech()
        await reply.heard_so_far()
        bot.call.send("bye")
        bot.call.hang_up()

    bot.respond = respond  # type: ignore[method-assign]
    await in_the_page(page, bot, ScriptedFlux(1.0, *ASK))
    assert bot.ends == [("finished", ANSWER)]
    assert page.messages == ["bye"]
    assert page.code == 1000


GARBAGE = {
    "half a sample": b"\x01" * 641,
    "too much sound": bytes(1 << 17),
    "too much text": '{"type": "message", "data": "' + "x" * (1 << 17) + '"}',
    "no JSON": "hello",
    "nothing": "",
    "no object": "[1, 2]",
    "no type": '{"epoch": 1, "played": 1}',
    "another type": '{"type": "begin", "epoch": 1}',
    "something missing": '{"type": "played", "epoch": 1}',
    "depth": '{"type": "message", "data": ' + "[" * 50_000,
    "half a character": '{"type": "message", "data": "\ud800"}',
}


@pytest.mark.anyio
@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
async def test_garbage_ends_the_call_and_no_other(garbage: str | bytes) -> None:
    """What turnkit's page never sends: the call is over at once, with a code that says so; another one goes on."""
    pages, bots = [FakePage(), FakePage()], [PageBot(), PageBot()]
    ends: list[float] = []

    async def one(page: FakePage, bot: PageBot, *acts: Any) -> None:
        await in_the_page(page, bot, ScriptedFlux(1.0, *ASK), *acts)
        ends.append(anyio.current_time())

    began = anyio.current_time()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one, pages[0], bots[0], 2.01, lambda: pages[0].say(garbage))
        tasks.start_soon(one, pages[1], bots[1], 5.0, pages[1].hang_up)
    assert ends[0] - began == pytest.approx(2.01, abs=0.03)
    assert pages[0].code == 1007
    assert bots[0].ends[0][0] == "interrupted"
    assert pages[1].code == 1000
    assert bots[1].ends == [("finished", ANSWER)]


NONSENSE: list[tuple[object, object]] = [
    (99, 1.0), (-1, 1.0), (0, 1.0), (None, 1.0), ("1", 1.0), (1, -1.0), (1, "much"), (1, None), (1, True), (1, 10**400),
    ([1], [1]),
]  # fmt: skip


@pytest.mark.anyio
async def test_reports_that_make_no_sense_change_nothing() -> None:
    """Of epochs that are over or never were, below zero, no numbers: the call goes on as if they had not come."""
    page, bot = FakePage(), PageBot()

    def boast() -> None:
        for epoch, played in NONSENSE:
            page.say({"type": "played", "epoch": epoch, "played": played})

    acts = [act for _ in range(10) for act in (0.2, boast)]
    await in_the_page(page, bot, ScriptedFlux(1.0, *ASK, 1.1, StartOfTurn(1, "Stop")), *acts, 2.0, page.hang_up)
    assert bot.ends == [("interrupted", "One two three four")]
    assert page.code == 1000


@pytest.mark.anyio
async def test_no_more_was_heard_than_time_allows() -> None:
    """A page that claims to have played what it cannot have had the time for is believed as far as it can be."""
    page, bot = FakePage(), PageBot()
    boast = {"type": "played", "epoch": 1, "played": 1e9}
    flux = ScriptedFlux(1.0, *ASK, 0.6, StartOfTurn(1, "Stop"))
    await in_the_page(page, bot, flux, 1.3, lambda: page.say(boast), 3.0, page.hang_up)
    assert bot.ends == [("interrupted", "One two")]


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["hangs up", "is gone", "reads no more", "sends no more"])
async def test_a_page_that_is_gone_ends_the_call(how: str) -> None:
    """By whatever of it can be noticed, and as soon as it can; nothing is raised."""
    page, bot = FakePage(), PageBot(" ".join(["word"] * 400))

    def go() -> None:
        assert bot.call is not None
        page.stuck = how == "reads no more"
        page.mute = how == "sends no more"
        if how == "hangs up":
            page.hang_up()
        elif how == "is gone":
            page.vanish()
        bot.call.send("a caption")

    began = anyio.current_time()
    await in_the_page(page, bot, ScriptedFlux(1.0, *ASK), 2.0, go, 0.1, page.stop_playing)
    took = anyio.current_time() - began
    bounds = {"hangs up": 2.0, "is gone": 2.0, "reads no more": 7.0, "sends no more": 32.0}
    assert bounds[how] <= took <= bounds[how] + 0.1
    # Long before the last of these the voice has given up: nothing that it sends is played.
    assert [end[0] for end in bot.ends] == ["failed" if how == "sends no more" else "interrupted"]
    assert bot.ends[0][1].startswith("word word word")


@pytest.mark.anyio
async def test_when_flux_fails_the_page_is_told_that_the_server_did() -> None:
    """The failure is raised on as it is, in no group, after the words so far were answered."""
    page, bot = FakePage(), PageBot()
    failure = ConnectionFailed("Flux is gone")
    with pytest.raises(ConnectionFailed) as raised:
        await in_the_page(page, bot, ScriptedFlux(1.0, *ASK, 0.1, failure))
    assert raised.value is failure
    assert bot.ends == [("finished", ANSWER)]
    assert page.code == 1011


@pytest.mark.anyio
async def test_a_call_that_cannot_begin() -> None:
    """No session, one that fails, settings or a websocket that cannot be: said, and the page is told of it."""
    page = FakePage()
    with pytest.raises(ConfigError, match="make_session gave str; must be the Session"):
        await browser.hold_call(page, lambda call: "no session", connect=ScriptedFlux().connect)  # type: ignore[arg-type, return-value]
    assert page.code == 1011
    for settings in ({"options": "fast"}, {"message_timeout": 0}, {"sample_rate": 0}, {"lead": 0.01}):
        with pytest.raises(ConfigError):
            await browser.hold_call(FakePage(), PageBot().make_session, **settings)
    with pytest.raises(ConfigError, match="websocket: object is no websocket"):
        await browser.hold_call(object(), PageBot().make_session)

    async def fail(call: browser.Call) -> Session:
        raise RuntimeError("no database")

    page = FakePage()
    with pytest.raises(RuntimeError, match="no database"):
        await browser.hold_call(page, fail, connect=ScriptedFlux().connect)
    assert page.code == 1011


@pytest.mark.anyio
async def test_a_server_that_stops_tells_the_page() -> None:
    """A call that is cancelled is closed as one whose server goes down, and the cancellation goes on."""
    page, bot = FakePage(), PageBot()
    with anyio.move_on_after(2.0) as stopping:
        await in_the_page(page, bot, ScriptedFlux(1.0, *ASK))
    assert stopping.cancelled_caught
    assert page.code == 1001
    assert bot.ends[0][0] == "interrupted"


def test_the_voice_goes_at_the_rate_of_the_call() -> None:
    """Whatever the settings for its speaker say."""
    bot = PageBot()
    call = browser.Call(RATE, 1.0)
    assert call.speaker(bot.make_session, sample_rate=1, ahead=1.0)  # type: ignore[arg-type]
    call.hang_up()  # of no session yet: nothing happens


def test_the_script_is_one_module() -> None:
    """As text, to be served as it is."""
    assert "export class TurnkitCall" in browser.script()
    assert "import " not in browser.script().split("*/", 1)[1].replace("import.meta", "")
