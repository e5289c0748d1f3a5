"""What a browser's MediaRecorder writes, heard by the simulator: the seconds are those that were recorded."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import pytest

from tests.support.browser import browser, needs_browser
from tests.support.simulator_client import CLOSE, call, events
from turnkit.simulator import Script, serve
from turnkit.simulator.audio_clock import AudioClock

# Records a tone in slices, and has a player look for its end: when the last packet begins is the browser's own word.
# What the recorder leaves out on a busy machine is a gap in the container's time; players keep it, decoders do not.
RECORD = """
(async () => {
  const context = new AudioContext();
  await context.resume();
  const tone = new OscillatorNode(context);
  const out = new MediaStreamAudioDestinationNode(context);
  tone.connect(out);
  tone.start();
  const recorder = new MediaRecorder(out.stream, {mimeType: "audio/webm;codecs=opus"});
  const slices = [];
  recorder.ondataavailable = (event) => slices.push(event.data);
  const stopped = new Promise((done) => { recorder.onstop = done; });
  recorder.start(100);
  const from = context.currentTime;
  while (context.currentTime < from + 2.5) await new Promise((done) => setTimeout(done, 20));
  recorder.stop();
  await stopped;
  const texts = [];
  for (const slice of slices) {
    const bytes = new Uint8Array(await slice.arrayBuffer());
    texts.push(btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));
  }
  const player = new Audio(URL.createObjectURL(new Blob(slices)));
  await new Promise((done) => { player.onloadedmetadata = done; });
  const ended = new Promise((done) => { player.onseeked = done; });
  player.currentTime = 1e6;
  await ended;
  const decoded = await context.decodeAudioData(await new Blob(slices).arrayBuffer());
  return {texts, begun: player.duration, decoded: decoded.duration};
})()
"""
PACKET = 0.06  # seconds of Chromium's Opus packets


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with browser(tmp_path_factory.mktemp("profile"), "--autoplay-policy=no-user-gesture-required") as page:
        result: dict[str, Any] = page.ask(RECORD, clicked=True)
    assert result["decoded"] <= result["begun"] + PACKET + 0.01
    slices = [base64.b64decode(text) for text in result["texts"]]
    return {"slices": slices, "seconds": result["begun"] + PACKET}


@needs_browser
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_the_clock_agrees_with_the_browser(recorded: dict[str, Any], size: int) -> None:
    """Within 10 ms of what the browser itself plays, however the bytes are cut."""
    data = b"".join(recorded["slices"])
    clock = AudioClock(None)
    for at in range(0, len(data), size):
        clock.hear(data[at : at + size])
    assert recorded["seconds"] > 2.0
    assert clock.seconds == pytest.approx(recorded["seconds"], abs=0.01)


@needs_browser
@pytest.mark.anyio
async def test_a_turn_is_heard_in_what_a_browser_records(recorded: dict[str, Any]) -> None:
    """The slices as they came, without `encoding`: the words of the script are heard at their seconds."""
    with anyio.fail_after(20):
        async with serve(Script.parse("0.2 Yes, please.", seed=1)) as flux:
            slices = [data for data in recorded["slices"] if data]
            messages, code = await call(flux, [*slices, CLOSE], "model=flux-general-en")
    assert events(messages) == ["StartOfTurn", "EndOfTurn"]
    assert code == 1005
    assert flux.connections[0].audio_seconds == pytest.approx(recorded["seconds"], abs=0.01)
