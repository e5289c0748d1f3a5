"""The real recorded session, through simulator, socket, client and session, with its own audio, in virtual time."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from turnkit.cli.wav import read_wav
from turnkit.flux import FluxStream, connect
from turnkit.session import Session
from turnkit.simulator import Recording, serve
from turnkit.turns.events import SIGNALS, Commit, Signal, Speculate, TurnStarted, TurnUpdated
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio

CHUNK_SECONDS = 0.08


async def speak(stream: FluxStream, audio: bytes) -> None:
    """Send audio at the pace of speech: a chunk is there when its last sample has been spoken."""
    began = anyio.current_time()
    for count, start in enumerate(range(0, len(audio), 2560), 1):
        await anyio.sleep_until(began + count * CHUNK_SECONDS)
        await stream.send_audio(audio[start : start + 2560])
    await stream.close()


async def test_the_recorded_session_live(preamble: Path, preamble_wav: Path) -> None:
    """A turn at audio second 0.96, a draft at 19.84, its commit at 20.00, and nothing else is decided."""
    wav = read_wav(preamble_wav)
    assert wav.sample_rate == 16000
    assert wav.seconds == pytest.approx(19.1, abs=0.01)
    session = Session()
    signals: list[Signal] = []
    for kind in SIGNALS:
        session.on(kind, signals.append)
    options = FluxOptions(eot_threshold=0.7, eager_eot_threshold=0.5)
    with anyio.fail_after(60):
        async with serve(Recording.read(preamble)) as flux, connect(options, url=flux.url) as stream:
            began = anyio.current_time()
            session.on(Commit, lambda commit: session.playback_started(commit.reply))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(speak, stream, wav.audio + bytes(3 * 32000))
                await session.run(stream)
            assert stream.missed_messages == 0
    decided = [signal for signal in signals if not isinstance(signal, TurnUpdated)]
    assert [type(signal) for signal in decided] == [TurnStarted, Speculate, Commit]
    assert [round(signal.at - began, 2) for signal in decided] == [0.96, 19.84, 20.0]
    commit = decided[-1]
    assert isinstance(commit, Commit)
    assert commit.speculative
    assert not session.notes
