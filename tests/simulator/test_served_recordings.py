"""A recorded session, served by the simulator in step with its audio."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.simulator_client import CLOSE, FORCE, audio, call, dial
from turnkit.simulator import Recording, Simulator, serve

pytestmark = pytest.mark.anyio

CONFIGURE = '{"type":"Configure","thresholds":{"eot_threshold":0.8},"keyterms":["Deepgram"]}'


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


async def _play(flux: Simulator, frames: Iterable[str | bytes]) -> list[tuple[str, float]]:
    """What came, verbatim, each with the seconds of audio that had been sent by then."""
    texts: list[tuple[str, float]] = []
    sent = 0
    async with dial(flux) as socket, anyio.create_task_group() as group:

        async def read() -> None:
            with suppress(ConnectionClosed):
                while True:
                    texts.append((await socket.recv(), sent / 32000))

        group.start_soon(read)
        for frame in frames:
            sent += len(frame) if isinstance(frame, bytes) else 0
            await socket.send(frame)
            await anyio.lowlevel.checkpoint()
    return texts


async def test_a_recorded_session_is_reproduced_in_step_with_its_audio(preamble: Path, preamble_wav: Path) -> None:
    """All 105 frames of a real session come verbatim, in order, and none before its audio was sent."""
    with wave.open(str(preamble_wav)) as file:
        sound = file.readframes(file.getnframes()) + bytes(32000 * 3)
    chunks = [sound[at : at + 2560] for at in range(0, len(sound), 2560)]
    async with serve(Recording.read(preamble)) as flux:
        played = await _play(flux, [*chunks[:20], CONFIGURE, *chunks[20:], CLOSE])
    recorded = _lines(preamble)
    assert [text for text, _ in played] == recorded
    assert len(recorded) == 105
    for text, seconds in played:
        assert json.loads(text).get("audio_window_end", 0.0) <= seconds + 0.01
    assert flux.connections[0].request_id == json.loads(recorded[0])["request_id"]


async def test_a_live_answer_in_a_recorded_session_leaves_no_gap(preamble: Path) -> None:
    """A Configure that the recording cannot answer is answered at once, and the frames after it are renumbered."""
    first, second = '{"type":"Configure"}', '{"type":"Configure","thresholds":{"eot_threshold":0.6}}'
    bad = '{"type":"Configure","thresholds":{"eot_threshold":0.1}}'
    async with serve(Recording.read(preamble)) as flux:
        messages, code = await call(flux, [*audio(1.0), first, second, bad, FORCE, *audio(30.0), CLOSE])
    recorded = [json.loads(line) for line in _lines(preamble)]
    assert [message["sequence_id"] for message in messages] == list(range(len(messages)))
    live = [message for message in messages if message["type"].startswith("Configure")]
    assert [message["type"] for message in live] == ["ConfigureSuccess", "ConfigureFailure", "ConfigureSuccess"]
    assert live[0]["thresholds"]["eot_threshold"] == 0.6
    assert live[2]["thresholds"]["eot_threshold"] == 0.8
    manual = [message for message in messages if message.get("trigger") == "manual"]
    assert [(message["transcript"], message["turn_index"]) for message in manual] == [("We, the", 0)]
    rest = [message for message in messages[messages.index(manual[0]) :] if message.get("event") == "Update"]
    assert [{**message, "sequence_id": 0} for message in rest] == [
        {**message, "sequence_id": 0} for message in recorded if message.get("turn_index") == 1
    ]
    assert code == 1005


async def test_an_answer_waits_for_its_command_anywhere_in_its_gap(preamble: Path) -> None:
    """A client that repeats the session gets it verbatim; the same one without the Configure gets no answer to it."""
    recorded = _lines(preamble)
    answer = next(place for place, text in enumerate(recorded) if "ConfigureSuccess" in text)
    before, after = (round(json.loads(recorded[answer + by])["audio_window_end"] / 0.08) for by in (-1, 1))
    assert after - before == 3
    for frames in range(before, after):
        async with serve(Recording.read(preamble)) as flux:
            sent: list[str | bytes] = [*audio(frames * 0.08), CONFIGURE, *audio(24.0 - frames * 0.08), CLOSE]
            played = await _play(flux, sent)
        assert [text for text, _ in played] == recorded
    async with serve(Recording.read(preamble)) as flux:
        messages, _ = await call(flux, [*audio(24.0), CLOSE])
    assert [message["type"] for message in messages] == ["Connected", *["TurnInfo"] * 103]
    assert [message["sequence_id"] for message in messages] == list(range(104))
