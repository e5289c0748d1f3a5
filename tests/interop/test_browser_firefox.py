"""turnkit's script in a real Firefox with a fake microphone."""

from __future__ import annotations

from array import array
from math import sqrt
from pathlib import Path
from random import Random

import pytest

from tests.support.firefox import firefox, needs_firefox
from tests.support.page_server import begin, page_server, tone
from tests.support.served_page import eventually, pitch

pytestmark = needs_firefox


@pytest.mark.parametrize("resisting", [False, True], ids=["as it is", "resisting fingerprinting"])
def test_a_call_in_firefox(tmp_path: Path, resisting: bool) -> None:
    """Both directions, a hold and a clear; also where it pretends another rate than the microphone's."""
    with page_server() as server, firefox(tmp_path, privacy_resistFingerprinting=resisting) as page:
        page.open(server.url)
        eventually(lambda: page.ask("Boolean(window.begin)"))
        assert page.ask("begin()") is True, page.ask("log")
        eventually(lambda: len(server.audio) >= 80)
        assert {len(frame) for frame in server.audio} == {640}
        assert pitch(b"".join(server.audio[20:70])) == pytest.approx(1000, rel=0.01), "what Firefox's own fake hears"
        server.send(begin(1), tone(24000, 1.0))
        eventually(lambda: server.played and server.played[-1] == 1.0)
        assert server.played == sorted(server.played)
        server.send(begin(2, 16000), tone(16000, 5.0))
        eventually(lambda: server.played[-1] != 1.0 and server.played[-1] > 0.3)
        assert page.ask("call.level('voice')") > 0.1
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


def loudness(frames: list[bytes]) -> float:
    samples = array("h", b"".join(frames))
    return sqrt(sum(sample * sample for sample in samples) / len(samples))


def test_firefox_cancels_the_echo(tmp_path: Path) -> None:
    """A microphone that hears nothing but the bot's own voice: next to nothing of it comes back, once it is learned.

    Firefox sees to that only for what sounds in a context of the device's own rate.
    """
    random, level = Random(1), 0.0
    samples = array("h")
    for _ in range(24000 * 10):
        level += 0.1 * (random.uniform(-1, 1) - level)
        samples.append(round(30000 * level))
    comes_back = {}
    with page_server() as server, firefox(tmp_path, media_navigator_streams_fake=False) as page:
        for wanted in ("false", "true"):
            page.open(server.url)
            eventually(lambda: page.ask("Boolean(window.begin)"))
            alone = f"echoCancellation: {wanted}, noiseSuppression: false, autoGainControl: false"
            assert page.ask(f"begin('/call', {{ constraints: {{ {alone} }} }})") is True, page.ask("log")
            server.send(begin(1), samples.tobytes())
            eventually(lambda: server.played and server.played[-1] > 4.0)
            comes_back[wanted] = loudness(server.audio[-50:])
            page.ask("call.hangUp()")
            eventually(lambda: server.left == 1000)
    assert comes_back["false"] > 500
    assert comes_back["true"] < comes_back["false"] / 10
