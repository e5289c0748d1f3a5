"""Faults at the upgrade and in the answers to commands, as a raw client sees them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import anyio
import pytest
from websockets.exceptions import InvalidMessage

from tests.support.faulty_wire import CONFIGURE, TALK, at, bare, numbered, ring, sound, wire
from tests.support.simulator_client import CLOSE, FORCE, audio, dial, refusal
from turnkit.simulator import Recording, Refusal, serve

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("small_steps")]


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


# The upgrade --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 429, 500, 503])
async def test_an_upgrade_is_refused_with_either_body(status: int) -> None:
    """Flux has two; both have the id and the reason in headers."""
    async with serve(TALK, faults=[f"refuse:{status}/1", f"refuse_described:{status}/2"]) as flux:
        first, second = await refusal(flux), await refusal(flux)
        assert (await ring(flux, [CLOSE])).messages[0]["type"] == "Connected"
        assert [injected.connection for injected in flux.faults_injected] == [1, 2]
        assert flux.refusals == [Refusal(status, json.loads(first.body)["err_code"])] * 2
    assert first.status_code == second.status_code == status
    assert list(json.loads(first.body)) == ["err_code", "err_msg", "request_id"]
    assert list(json.loads(second.body)) == ["code", "description"]
    assert first.headers["dg-error"] == second.headers["dg-error"] == json.loads(second.body)["description"]
    assert first.headers["dg-request-id"]


async def test_an_upgrade_can_be_cut_or_late_or_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    """In this order here; no traceback is printed."""
    async with serve(TALK, faults=["drop@connect/1", "slow:5@connect/2", "stall@connect/3"]) as flux:
        with pytest.raises((InvalidMessage, OSError, EOFError)):
            await ring(flux)
        began = anyio.current_time()
        async with dial(flux):
            assert anyio.current_time() - began >= 5.0
        with pytest.raises(TimeoutError):
            await ring(flux, open_timeout=8)
        assert len(flux.connections) == 1
        assert flux.refusals == []
    assert [str(injected.fault) for injected in flux.faults_injected] == [
        "drop@connect/1",
        "slow:5@connect/2",
        "stall@connect/3",
    ]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# Commands -----------------------------------------------------------------------------------------------------------


async def test_a_configure_is_refused_and_changes_nothing() -> None:
    """The second is answered, with the settings as they were but for its own."""
    frames = [*sound(0.24), CONFIGURE, '{"type":"Configure"}', CLOSE]
    messages = (await wire("configure_refused:TOO_MANY", frames=frames)).messages
    assert [m["type"] for m in messages[2:]] == ["ConfigureFailure", "ConfigureSuccess"]
    assert messages[2]["code"] == "TOO_MANY"
    assert messages[3]["thresholds"]["eot_threshold"] == 0.7
    assert numbered(messages)


async def test_a_configure_is_never_answered() -> None:
    """The stream goes on, and the next one shows that it was taken."""
    frames = [*sound(0.24), CONFIGURE, *audio(0.24), '{"type":"Configure"}', CLOSE]
    messages = (await wire("configure_unanswered", frames=frames)).messages
    assert [m["type"] for m in messages] == ["Connected", "TurnInfo", "TurnInfo", "ConfigureSuccess"]
    assert messages[3]["thresholds"]["eot_threshold"] == 0.9
    assert numbered(messages)


@pytest.mark.parametrize(
    ("fault", "command", "unknown"),
    [("configure_fatal", CONFIGURE, "`Configure`"), ("force_end_fatal", FORCE, "`ForceEndTurn`")],
)
async def test_a_host_that_lacks_a_command(fault: str, command: str, unknown: str) -> None:
    """Error UNPARSABLE_CLIENT_MESSAGE and a close without a code."""
    heard = await wire(fault, frames=[*sound(4.0), command, *audio(1.0), CLOSE])
    error = heard.messages[-1]
    assert (error["type"], error["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
    assert f"unknown variant {unknown}" in error["description"]
    assert heard.code == 1005
    end = heard.messages[at(heard.messages, "EndOfTurn")]
    assert ("trigger" in end) == (fault == "configure_fatal")


async def test_the_second_command_and_each_one() -> None:
    """A number counts the commands of its kind; a * is each."""
    frames = [*sound(0.24), *['{"type":"Configure"}'] * 3, CLOSE]
    kinds = [m["type"] for m in (await wire("configure_refused@configure2", frames=frames)).messages[2:]]
    assert kinds == ["ConfigureSuccess", "ConfigureFailure", "ConfigureSuccess"]
    heard = await wire("configure_unanswered@configure*", frames=frames)
    assert [m["type"] for m in heard.messages] == ["Connected", "TurnInfo"]
    heard = await wire("drop@configure2", frames=frames)
    assert ([m["type"] for m in heard.messages][2:], heard.code) == (["ConfigureSuccess"], 1006)


async def test_a_recorded_answer_is_refused_too(preamble: Path) -> None:
    """A recording has its own ConfigureSuccess, at its own time."""
    async with serve(Recording.read(preamble), faults=["configure_refused"]) as flux:
        messages = (await ring(flux, [*sound(1.0), CONFIGURE, *audio(3.0), CLOSE])).messages
    assert [m["type"] for m in messages if m["type"].startswith("Configure")] == ["ConfigureFailure"]


async def test_a_recording_is_verbatim_but_for_its_faults(preamble: Path) -> None:
    """A fault that never strikes changes nothing; one that does changes its message and the numbers after it."""
    recorded = lines_of(preamble)
    frames: list[str | bytes] = [CONFIGURE, *[bytes(32000 * 8)] * 3]
    async with serve(Recording.read(preamble), faults=["lose@start9", "random:0"]) as flux:
        assert (await ring(flux, frames)).frames == recorded
        assert flux.faults_injected == []
    async with serve(Recording.read(preamble), faults=["lose@start1"]) as flux:
        heard = await ring(flux, frames)
    start = next(i for i, text in enumerate(recorded) if "StartOfTurn" in text)
    assert heard.frames[:start] == recorded[:start]
    assert bare(heard.messages) == bare([json.loads(text) for text in recorded[:start] + recorded[start + 1 :]])
    assert numbered(heard.messages)
