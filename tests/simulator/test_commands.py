"""The simulator's answers to commands: Configure, ForceEndTurn, CloseStream, and what is none."""

from __future__ import annotations

import pytest

from tests.support.simulator_client import CLOSE, FORCE, HELLO, RAW, audio, call, events
from turnkit.errors import ConfigError
from turnkit.simulator import FRAME, Script, serve

pytestmark = pytest.mark.anyio


async def test_configure_is_answered_with_the_whole_configuration_in_order_with_the_audio() -> None:
    """Its answer comes between the Updates of the audio before and after it, and what it leaves out stays."""
    command = '{"type":"Configure","thresholds":{"eot_threshold":0.9},"keyterms":["Deepgram"],"numerals":true}'
    query = f"{RAW}&eager_eot_threshold=0.4&eot_timeout_ms=4000&profanity_filter=true"
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [*audio(0.24), command, *audio(0.24), CLOSE], query)
    assert [message["type"] for message in messages] == ["Connected", "TurnInfo", "ConfigureSuccess", "TurnInfo"]
    assert messages[2] == {
        "type": "ConfigureSuccess",
        "request_id": messages[0]["request_id"],
        "thresholds": {"eot_threshold": 0.9, "eager_eot_threshold": 0.4, "eot_timeout_ms": 4000},
        "keyterms": ["Deepgram"],
        "profanity_filter": True,
        "numerals": True,
        "sequence_id": 2,
    }


async def test_whether_configure_takes_the_profanity_filter_is_a_switch() -> None:
    """No source settles it: an unknown field as a rule, and taken and reported where the simulator is told so."""
    command = '{"type":"Configure","profanity_filter":true}'
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [command, CLOSE])
    assert messages[-1]["code"] == "UNPARSABLE_CLIENT_MESSAGE"
    assert "profanity_filter" in messages[-1]["description"]
    async with serve(HELLO, configurable=["profanity_filter"]) as flux:
        messages, _ = await call(flux, [command, '{"type":"Configure"}', '{"type":"Configure","redact":1}', CLOSE])
    assert [message.get("profanity_filter") for message in messages] == [None, True, True, None]
    assert messages[-1]["code"] == "UNPARSABLE_CLIENT_MESSAGE"
    with pytest.raises(ConfigError, match="configurable='redact': must be one of profanity_filter"):
        async with serve(HELLO, configurable="redact"):
            pass


async def test_a_configure_out_of_range_fails_whole_and_the_stream_goes_on() -> None:
    """The old configuration stays in force, with nothing of the refused one."""
    bad = '{"type":"Configure","thresholds":{"eot_threshold":0.6,"eot_timeout_ms":100},"numerals":true}'
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [bad, '{"type":"Configure"}', CLOSE])
    failure, success = messages[1:]
    assert (failure["type"], failure["code"]) == ("ConfigureFailure", "INVALID_THRESHOLD")
    assert "eot_timeout_ms" in failure["description"]
    assert success["thresholds"] == {"eot_threshold": 0.7, "eager_eot_threshold": None, "eot_timeout_ms": 5000}
    assert success["numerals"] is False
    assert code == 1005


async def test_thresholds_changed_in_a_turn_decide_how_it_ends() -> None:
    """At 1.0 only silence ends a turn, after the timeout that was asked for."""
    never = '{"type":"Configure","thresholds":{"eot_threshold":1.0,"eot_timeout_ms":1000}}'
    async with serve(HELLO) as flux:
        messages, _ = await call(flux, [*audio(1.6), never, *audio(4.0), CLOSE])
    end = next(message for message in messages if message.get("event") == "EndOfTurn")
    assert end["trigger"] == "timeout"
    assert 0 <= end["audio_window_end"] - HELLO.end - 1.0 < FRAME
    after = messages[messages.index(end) + 1]
    assert (after["turn_index"], after["audio_window_start"]) == (1, end["audio_window_end"])


async def test_an_eager_end_is_taken_back_when_words_go_on() -> None:
    """TurnResumed carries the longer text, in the same turn."""
    script = Script.parse("0.5 That is all. (0.8) Or is it?", seed=1)
    async with serve(script) as flux:
        query = f"{RAW}&eot_threshold=1.0&eager_eot_threshold=0.5"
        messages, _ = await call(flux, [*audio(3.0), FORCE, CLOSE], query)
    assert events(messages)[:3] == ["StartOfTurn", "EagerEndOfTurn", "TurnResumed"]
    eager = next(message for message in messages if message.get("event") == "EagerEndOfTurn")
    resumed = next(message for message in messages if message.get("event") == "TurnResumed")
    assert eager["transcript"] == "That is all."
    assert len(resumed["words"]) > len(eager["words"])
    assert resumed["turn_index"] == eager["turn_index"] == 0


async def test_force_end_turn_ends_an_open_turn_and_earns_a_warning_otherwise() -> None:
    """Before StartOfTurn and once more after the end: a Warning, and the stream goes on."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [FORCE, *audio(1.6), FORCE, FORCE, *audio(0.24), CLOSE])
    warnings = [message for message in messages if message["type"] == "Warning"]
    assert {key: warnings[0][key] for key in ("type", "code", "description")} == {
        "type": "Warning",
        "code": "FORCE_END_TURN_NO_ACTIVE_TURN",
        "description": "Received ForceEndTurn while no turn was active; the request was ignored.",
    }
    assert len(warnings) == 2
    end = next(message for message in messages if message.get("event") == "EndOfTurn")
    before = messages[messages.index(end) - 1]
    assert (end["trigger"], end["transcript"]) == ("manual", before["transcript"])
    assert end["end_of_turn_confidence"] == before["end_of_turn_confidence"]
    assert messages[-1]["turn_index"] == 1
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    assert code == 1005


@pytest.mark.parametrize("last", [CLOSE, b""])
async def test_closing_reports_what_is_left_and_ends_no_turn(last: str | bytes) -> None:
    """The last Update covers all whole frames; no EndOfTurn and no close code. An empty frame closes as well."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [*audio(1.76), last, FORCE])
    assert events(messages) == ["StartOfTurn"]
    assert [message["audio_window_end"] for message in messages[-2:]] == [1.68, 1.76]
    assert code == 1005


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ('{"type":"KeepAlive"}', "unknown variant `KeepAlive`"),
        ('{"type":"Finalize"}', "unknown variant `Finalize`"),
        ('{"type":"Configure","numerals":"true"}', ""),
        ('{"type":"Configure","features":{}}', "features"),
        ("hello", "expected a JSON object"),
    ],
)
async def test_text_that_flux_cannot_read_is_fatal(text: str, description: str) -> None:
    """An Error, numbered like the rest, then a close without a code, whatever else the client goes on sending."""
    async with serve(HELLO) as flux:
        messages, code = await call(flux, [*audio(0.24), text, *audio(60.0), CLOSE])
    assert list(messages[-1]) == ["type", "code", "description", "sequence_id"]
    assert (messages[-1]["type"], messages[-1]["code"]) == ("Error", "UNPARSABLE_CLIENT_MESSAGE")
    assert messages[-1]["sequence_id"] == len(messages) - 1 == 2
    assert messages[-1]["description"].startswith("Could not deserialize last text message: ")
    assert description in messages[-1]["description"]
    assert code == 1005
    assert not flux.connections[0].open
