"""turnkit's script in a real Firefox with a fake microphone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.firefox import firefox, needs_firefox
from tests.support.page_server import begin, page_server, tone
from tests.support.served_page import eventually, pitch

pytestmark = needs_firefox
# Asking for it can have Firefox stand still for ever on a busy machine: its sound waits for the page, and that for it.
NO_LATENCY = "void Object.defineProperty(AudioContext.prototype, 'outputLatency', { get: () => 0.02 })"


@pytest.mark.parametrize("resisting", [False, True], ids=["as it is", "resisting fingerprinting"])
def test_a_call_in_firefox(tmp_path: Path, resisting: bool) -> None:
    """Both directions, a hold and a clear; also where it pretends another rate than the microphone's."""
    with page_server() as server, firefox(tmp_path, privacy_resistFingerprinting=resisting) as page:
        page.open(server.url)
        eventually(lambda: page.ask("Boolean(window.begin)"))
        page.ask(NO_LATENCY)
        assert page.ask("begin()") is True, page.ask("log")
        eventually(lambda: len(server.audio) >= 80)
        assert {len(frame) for frame in server.audio} == {640}
        assert pitch(b"".join(server.audio[20:70])) == pytest.approx(1000, rel=0.01), "what Firefox's own fake hears"
        server.send(begin(1), tone(24000, 1.0))
        eventually(lambda: server.played and server.played[-1] == 1.0)
        assert server.played == sorted(server.played)
        server.send(begin(2, 16000), tone(16000, 5.0))
        eventually(lambda: server.played[-1] != 1.0 and server.played[-1] > 0.3)
        eventually(lambda: page.ask("call.level('voice')") > 0.1)
        server.send({"type": "pause", "epoch": 2})
        eventually(lambda: page.ask("call.level('voice')") == 0)
        server.send({"type": "resume", "epoch": 2})
        eventually(lambda: page.ask("call.level('voice')") > 0.1)
        server.send({"type": "clear", "epoch": 2})
        eventually(lambda: page.ask("call.level('voice')") == 0)
        assert page.ask("codes('speaking')") == [True, False] * 3
        page.ask("call.hangUp()")
        eventually(lambda: server.left == 1000)
        assert page.ask("codes('ended')") == ["hung_up"]
        assert page.complaints == []
