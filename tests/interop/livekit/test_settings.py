"""What turnkit's speech-to-text for LiveKit takes and refuses, before and beside a call."""

from __future__ import annotations

from typing import Any

import pytest

from turnkit import ConfigError, FluxOptions, LocalProtocolError, Session
from turnkit.testing import virtual_time

pytest.importorskip("livekit.agents", reason="LiveKit Agents is tested in an environment of its own: .ci/interop")

from livekit.agents import AgentSession

from tests.support.livekit_call import Listener, hold
from turnkit.interop import livekit

pytestmark = pytest.mark.anyio

LOCAL = "ws://127.0.0.1:1"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """LiveKit runs on asyncio only; on a clock that jumps here too."""
    return virtual_time("asyncio")


@pytest.mark.parametrize(
    ("options", "given", "rule"),
    [
        (FluxOptions(), {"url": "http://127.0.0.1"}, "url"),
        (FluxOptions(), {"url": LOCAL, "send_timeout": -1}, "send_timeout"),
        (FluxOptions(encoding="mulaw", sample_rate=8000), {"url": LOCAL}, "encoding='mulaw': must be 'linear16'"),
        (FluxOptions(), {"url": LOCAL, "session": Session(id="made")}, "session=Session: must be a function"),
        (FluxOptions(), {}, "api_key"),
    ],
)
def test_what_cannot_work_is_refused_at_once(options: FluxOptions, given: dict[str, Any], rule: str) -> None:
    """With turnkit's own words, before there is a call."""
    with pytest.raises(ConfigError, match=rule):
        livekit.STT(options, **given)


async def test_a_stream_needs_an_agent_session() -> None:
    """Which it gets to know as that starts, or by attach() where a wrapper stands between them."""
    listener = livekit.STT(url=LOCAL)
    with pytest.raises(LocalProtocolError, match="no AgentSession is known"):
        listener.stream()
    listener.attach(AgentSession(vad=None))
    stream = listener.stream()
    await stream.aclose()
    assert listener.session is None


async def test_one_is_for_one_agent_session() -> None:
    """Another is refused while a stream is open."""
    refused: list[str] = []

    async def attach(call: Any) -> None:
        await call.speaks.wait()
        try:
            call.stt.attach(AgentSession(vad=None))
        except LocalProtocolError as error:
            refused.append(str(error))

    call = await hold("1.0  Hello.", agent=Listener("Good morning."), meanwhile=attach)
    assert call.errors == []
    assert refused == ["attach(): a stream for another AgentSession is open; make an STT for each"]


def test_the_settings_leave_the_turns_to_turnkit() -> None:
    """They are new each time, and the two that may be wanted otherwise are arguments."""
    first, other = livekit.turn_handling(), livekit.turn_handling(aec_warmup_duration=3.0, preemptive_tts=True)
    first["turn_handling"]["interruption"]["min_words"] = 2
    assert "min_words" not in livekit.turn_handling()["turn_handling"]["interruption"]
    assert (first["aec_warmup_duration"], other["aec_warmup_duration"]) == (None, 3.0)
    assert other["turn_handling"]["preemptive_generation"]["preemptive_tts"] is True
    assert first["vad"] is None
