"""Settings for one question, which go back when it is over."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.abc
import pytest
from anyio.lowlevel import checkpoint

from tests.support.flux_peer import Gate, Link, polite
from tests.support.streams import everything, opened, read_by_another
from tests.support.waiting import until
from turnkit.errors import ConfigError, ConnectionFailed, FluxError
from turnkit.flux import FluxStream
from turnkit.wire import Configure, FluxOptions

pytestmark = pytest.mark.anyio


async def echo(link: Link) -> None:
    """A Flux that takes every Configure and says so."""
    thresholds: dict[str, Any] = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    keyterms: list[str] = []
    await link.connected()
    while (command := await link.hear())["type"] == "Configure":
        thresholds |= command.get("thresholds", {})
        keyterms = command.get("keyterms", keyterms)
        await link.configured(thresholds=thresholds, keyterms=keyterms, numerals=command.get("numerals", False))
    await link.close(None)


QUESTION = {"eot_threshold": 0.9, "eot_timeout_ms": 8000}


async def test_settings_for_one_question_go_back_afterwards() -> None:
    """What was in force on entering is in force again, Flux's defaults where nothing was given."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        async with stream.configured(eot_threshold=0.9, eot_timeout_ms=8000, keyterms=("a",), numerals=True):
            assert (stream.options.eot_threshold, stream.options.keyterm) == (0.9, ("a",))
        assert (stream.options.eot_threshold, stream.options.eot_timeout_ms) == (0.7, 5000)
        assert (stream.options.keyterm, stream.options.numerals) == ((), False)
    assert peer.commands[0] == {"type": "Configure", "thresholds": QUESTION, "keyterms": ["a"], "numerals": True}
    restored = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert peer.commands[1] == {"type": "Configure", "thresholds": restored, "keyterms": [], "numerals": False}


async def test_terms_and_hints_are_given_in_any_form() -> None:
    """One string, or any iterable, read once: what is sent, what is in force, and what goes back."""
    options = FluxOptions(model="flux-general-multi", language_hint={"nl", "de"}, keyterm="kept")
    async with opened(echo, options) as (stream, peer), read_by_another(stream):
        async with stream.configured(keyterms=(term for term in ("a", "b")), language_hints="en"):
            inside = stream.options
        await stream.configure(Configure(keyterms="one", language_hints={"it": 1, "en": 2}.keys()))
        assert (inside.keyterm, stream.options.keyterm) == (("a", "b"), ("one",))
    sent = [(command.get("keyterms"), command.get("language_hints")) for command in peer.commands[:3]]
    assert sent == [(["a", "b"], ["en"]), (["kept"], ["de", "nl"]), (["one"], ["it", "en"])]


async def test_only_what_was_changed_goes_back_and_nested_ones_go_back_in_order() -> None:
    """A keyterm list is left alone by a question about thresholds, and eager mode keeps its own."""
    options = FluxOptions(eot_threshold=0.8, eager_eot_threshold=0.5, keyterm=("kept",))
    async with (
        opened(echo, options) as (stream, peer),
        read_by_another(stream),
        stream.configured(eager_eot_threshold=0.6),
        stream.configured(eot_timeout_ms=9000),
    ):
        pass
    assert [command.get("thresholds") for command in peer.commands[:-1]] == [
        {"eager_eot_threshold": 0.6},
        {"eot_timeout_ms": 9000},
        {"eot_timeout_ms": 5000},
        {"eager_eot_threshold": 0.5},
    ]
    assert not any("keyterms" in command for command in peer.commands)


async def test_settings_go_back_when_the_question_fails() -> None:
    """The body's own exception comes out."""
    async with opened(echo) as (stream, peer), read_by_another(stream):
        with pytest.raises(ZeroDivisionError):
            async with stream.configured(eot_threshold=0.9):
                raise ZeroDivisionError
        await until(lambda: len(peer.commands) == 2)
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


@pytest.mark.parametrize("noticed", [True, False])
async def test_settings_go_back_when_the_question_is_cancelled(noticed: bool) -> None:
    """Whether the body noticed or had just ended; the restoring Configure leaves all the same."""
    async with opened(echo) as (stream, peer), read_by_another(stream) as read:
        with anyio.CancelScope() as scope:
            async with stream.configured(eot_threshold=0.9):
                scope.cancel()
                if noticed:
                    await checkpoint()
        await until(lambda: len(read) == 3)
        assert stream.options.eot_threshold == 0.7
    assert peer.commands[1]["thresholds"] == {"eot_threshold": 0.7}


async def test_settings_go_back_when_entering_is_cancelled_after_they_left() -> None:
    """Flux may have taken them, so they are taken back, behind the one on the wire."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:

        async def ask() -> None:
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")

        tasks.start_soon(ask)
        await until(lambda: peer.commands)
        tasks.cancel_scope.cancel()
        gate.opened.set()
    assert [command.get("thresholds") for command in peer.commands] == [
        {"eot_threshold": 0.9},
        {"eot_threshold": 0.7},
        None,
    ]


async def test_settings_that_flux_refuses_are_not_taken_back() -> None:
    """Nothing was changed, so nothing is sent, and the question is not asked."""

    async def refuse(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", code="NO")
        await link.hang_up()

    async with opened(refuse) as (stream, peer), read_by_another(stream):
        with pytest.raises(FluxError):
            async with stream.configured(eot_threshold=0.9):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]


async def test_settings_that_do_not_go_back_are_told() -> None:
    """On the way out, a refusal and a missing answer are raised, for the settings are still the question's."""

    def answering_once(**second: Any) -> Any:
        async def speak(link: Link) -> None:
            await link.connected()
            await link.hear()
            await link.configured()
            await link.hear()
            if second:
                await link.say(**second)
            await link.hang_up()

        return speak

    async def ask(stream: FluxStream) -> None:
        async with stream.configured(eot_threshold=0.9):
            pass

    async with opened(answering_once(type="ConfigureFailure", code="NO")) as (stream, _), read_by_another(stream):
        with pytest.raises(FluxError, match="NO"):
            await ask(stream)
    async with opened(answering_once(), answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match="did not answer Configure"):
            await ask(stream)


async def test_an_answer_that_nobody_waits_for_still_counts() -> None:
    """The answer to a Configure that was given up says what is in force."""
    late = anyio.Event()

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await late.wait()
        await link.configured(keyterms=["a"])
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(ConnectionFailed):
            await stream.configure(Configure(keyterms=("a",)))
        late.set()
        await until(lambda: len(read) == 2)
    assert stream.options.keyterm == ("a",)


async def test_a_stream_that_is_over_needs_no_restoring() -> None:
    """Closed by us or by Flux meanwhile: leaving is no error."""

    async def leave(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured()
        await link.close(1011)

    async with opened(echo) as (stream, peer), read_by_another(stream), stream.configured(eot_threshold=0.9):
        await stream.close()
    assert [command["type"] for command in peer.commands] == ["Configure", "CloseStream"]
    async with opened(leave) as (stream, _), anyio.create_task_group() as tasks:

        async def iterate() -> None:
            with pytest.raises(ConnectionFailed):
                await everything(stream)

        tasks.start_soon(iterate)
        async with stream.configured(eot_threshold=0.9):
            await until(lambda: repr(stream).startswith("<FluxStream ended"))


async def test_eager_mode_cannot_be_lent_to_a_question() -> None:
    """Flux cannot switch it off again, so it is refused before anything is sent."""
    async with opened(polite) as (stream, peer):
        with pytest.raises(ConfigError, match="cannot switch it off again"):
            async with stream.configured(eager_eot_threshold=0.5):
                pytest.fail("the question must not be asked")
    assert [command["type"] for command in peer.commands] == ["CloseStream"]
