"""Configure on an open stream, and who gets its answer."""

from __future__ import annotations

from typing import Any, cast

import anyio
import anyio.abc
import pytest

from tests.support.flux_peer import Gate, Link, polite
from tests.support.streams import everything, opened, read_by_another
from tests.support.waiting import settle, until
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError
from turnkit.flux import FluxStream
from turnkit.wire import Configure, ConfigureFailure, ConfigureSuccess, Connected, FluxOptions, Thresholds

pytestmark = pytest.mark.anyio


async def test_a_configure_is_answered_and_changes_the_options() -> None:
    """The answer is returned, yielded to the iteration, and folded into stream.options."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.9, "eot_timeout_ms": 7000}, keyterms=["a"], numerals=True)
        await link.hang_up()

    async with opened(speak) as (stream, peer), read_by_another(stream) as read:
        command = Configure(thresholds=Thresholds(eot_threshold=0.9), keyterms=("a",))
        answer = await stream.configure(command)
        assert answer.thresholds.eot_timeout_ms == 7000
    assert peer.heard[0] == {"type": "Configure", "thresholds": {"eot_threshold": 0.9}, "keyterms": ["a"]}
    assert [type(message) for message in read] == [Connected, ConfigureSuccess]
    options = stream.options
    assert (options.eot_threshold, options.eot_timeout_ms, options.keyterm) == (0.9, 7000, ("a",))
    assert options.numerals is True


async def test_an_echo_that_no_option_could_have_does_not_end_the_call() -> None:
    """What Flux says is in force is its own affair: the call goes on, with the options as they were."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.configured(thresholds={"eot_threshold": 0.2})
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream):
        assert (await stream.configure(Configure())).thresholds.eot_threshold == 0.2
    assert stream.options == FluxOptions()


async def test_a_configure_that_flux_refuses_is_a_flux_error_and_no_more() -> None:
    """The failure is the caller's; the iteration sees it as a message and goes on."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.say("ConfigureFailure", error_code="INVALID_THRESHOLD", description="no")
        await link.hang_up()

    async with opened(speak) as (stream, _), read_by_another(stream) as read:
        with pytest.raises(FluxError) as refused:
            await stream.configure(Configure(keyterms=("a",)))
        assert (refused.value.code, refused.value.description) == ("INVALID_THRESHOLD", "no")
        assert refused.value.request_id == "req-1"
    assert [type(message) for message in read] == [Connected, ConfigureFailure]
    assert stream.options.keyterm == ()


async def test_configures_made_meanwhile_are_merged_and_share_one_answer() -> None:
    """One is on the wire at a time; the later value wins, field by field and threshold by threshold."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        answers.append(await stream.configure(command))

    commands = [
        Configure(thresholds=Thresholds(eot_threshold=0.8, eot_timeout_ms=6000), keyterms=("a",)),
        Configure(thresholds=Thresholds(eot_threshold=0.9), numerals=True),
        Configure(keyterms=()),
    ]
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        for command in commands:
            tasks.start_soon(ask, stream, command)
            await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    merged = {"thresholds": {"eot_threshold": 0.9, "eot_timeout_ms": 6000}, "keyterms": [], "numerals": True}
    assert peer.commands[:2] == [
        {"type": "Configure", "keyterms": ["first"]},
        {"type": "Configure", **merged},
    ]
    assert len(peer.commands) == 3  # and CloseStream
    assert [answer.keyterms for answer in answers] == [(), *[("merged",)] * 3]
    assert answers[1] is answers[2] is answers[3]


async def test_the_next_configure_goes_after_a_refusal() -> None:
    """A refusal concerns those who asked for it."""
    gate = Gate({"type": "ConfigureFailure", "description": "no"})
    refused: list[FluxError] = []

    async def ask(stream: FluxStream) -> None:
        with pytest.raises(FluxError) as failed:
            await stream.configure(Configure(keyterms=("first",)))
        refused.append(failed.value)

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(ask, stream)
        await until(lambda: peer.commands)
        gate.opened.set()
        assert (await stream.configure(Configure(keyterms=("second",)))).keyterms == ("merged",)
    assert refused[0].description == "no"


async def test_a_cancelled_configure_does_not_break_the_others() -> None:
    """One that was on the wire still holds its place; one that was not is taken out of the merged Configure."""
    gate = Gate()
    answers: list[ConfigureSuccess] = []
    scopes: list[anyio.CancelScope] = []

    async def ask(stream: FluxStream, command: Configure) -> None:
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            answers.append(await stream.configure(command))

    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        for keyterm in ("flying", "withdrawn", "third"):
            tasks.start_soon(ask, stream, Configure(keyterms=(keyterm,), numerals=keyterm == "third" or None))
            await until(lambda: peer.commands)
            await settle()
        scopes[2].cancel()
        scopes[0].cancel()
        await settle()
        assert len(peer.commands) == 1
        gate.opened.set()
    assert [command.get("keyterms") for command in peer.commands] == [["flying"], ["withdrawn"], None]
    assert "numerals" not in peer.commands[1]
    assert [answer.keyterms for answer in answers] == [("merged",)]


async def test_a_configure_withdrawn_by_all_is_never_sent() -> None:
    """If every call of a batch is cancelled before it left, nothing of it goes with a later one."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(keyterms=("first",)))
        await until(lambda: peer.commands)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await stream.configure(Configure(keyterms=("gone",)))
        gate.opened.set()
        await stream.configure(Configure(numerals=True))
    assert peer.commands[1] == {"type": "Configure", "numerals": True}


async def test_a_configure_without_an_answer_is_given_up_and_the_next_may_go() -> None:
    """The error says that somebody must be iterating."""

    async def speak(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.hear()
        await link.configured()
        await link.hang_up()

    async with opened(speak, answer_timeout=0.05) as (stream, _), read_by_another(stream):
        with pytest.raises(ConnectionFailed, match=r"did not answer Configure within 0\.05 s.*another task must be"):
            await stream.configure(Configure(keyterms=("a",)))
        assert (await stream.configure(Configure(keyterms=("b",)))).keyterms == ()


async def test_who_waits_for_an_answer_learns_that_the_stream_ended() -> None:
    """Also those whose Configure had not left yet; nobody waits for the timeout."""
    leave = anyio.Event()
    failed: list[str] = []

    async def speak(link: Link) -> None:
        await link.connected()
        await leave.wait()
        await link.say("Error", code="INTERNAL_SERVER_ERROR", description="gone")
        await link.close(None)

    async def ask(call: Any, argument: Any = None) -> None:
        with pytest.raises(ConnectionFailed) as failure:
            await (call(argument) if argument else call())
        failed.append(str(failure.value))

    async with opened(speak, answer_timeout=1000.0) as (stream, _), anyio.create_task_group() as tasks:
        for keyterm in ("a", "b"):
            tasks.start_soon(ask, stream.configure, Configure(keyterms=(keyterm,)))
        tasks.start_soon(ask, stream.force_end_turn)
        await settle()
        leave.set()
        with pytest.raises(FluxError):
            await everything(stream)
    assert len(failed) == 3
    assert all("ended" in text for text in failed)


@pytest.mark.parametrize(
    ("options", "command", "said"),
    [
        ({}, {"thresholds": Thresholds(eager_eot_threshold=0.8)}, r"eager_eot_threshold=0\.8: must be at most"),
        (
            {"eager_eot_threshold": 0.6},
            {"thresholds": Thresholds(eot_threshold=0.5)},
            r"eager_eot_threshold=0\.6: must be at most eot_threshold, which is 0\.5",
        ),
        ({}, {"language_hints": ("en",)}, "only flux-general-multi takes hints"),
        ({}, {"language_hints": ()}, "only flux-general-multi takes hints"),
    ],
)
async def test_what_flux_would_refuse_is_not_sent(options: dict[str, Any], command: dict[str, Any], said: str) -> None:
    """The thresholds are checked against the values in force, and Flux's default where none was given."""
    async with opened(polite, FluxOptions(**options)) as (stream, peer):
        with pytest.raises(ConfigError, match=said):
            await stream.configure(Configure(**command))
        with pytest.raises(LocalProtocolError, match="takes a Configure, not dict"):
            await stream.configure(cast(Configure, {}))
    assert [frame["type"] for frame in peer.commands] == ["CloseStream"]


async def test_what_is_under_way_counts_for_the_check() -> None:
    """A threshold that a Configure on its way will allow may be asked for already."""
    gate = Gate()
    async with opened(gate) as (stream, peer), read_by_another(stream), anyio.create_task_group() as tasks:
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eot_threshold=0.9)))
        await until(lambda: peer.commands)
        tasks.start_soon(stream.configure, Configure(thresholds=Thresholds(eager_eot_threshold=0.85)))
        await settle()
        with pytest.raises(ConfigError, match="eager_eot_threshold"):
            await stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.8)))
        gate.opened.set()
