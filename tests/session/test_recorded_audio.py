"""The audio of a session, kept beside its recording: each second once, in Flux's time, and whole whenever it ends."""

from __future__ import annotations

import stat
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import structlog

from tests.support.simulated_call import OPTIONS, hold, new_session
from turnkit import ConfigError, FluxOptions, Session
from turnkit.simulator import Script
from turnkit.trace import Recorder, read

pytestmark = pytest.mark.anyio

SCRIPT = Script.parse("2.0 I'd like a table for two, please.\n+3.0 It's Smith. Thank you!", seed=17)
AUDIO = b"".join(i.to_bytes(4, "little") for i in range(16000 * 20 // 2))
"""Twenty seconds in which no place is like another."""


def heard(path: Path) -> tuple[int, bytes]:
    """Rate and samples of a WAV file."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), file.readframes(file.getnframes())


async def test_what_was_sent_is_kept_beside_the_trace(tmp_path: Path) -> None:
    """Sample for sample, named as the trace is, for its owner only; the trace itself is as it always is."""
    session = new_session(f"{tmp_path}/calls/", audio=True, id="a call")
    await hold(session, SCRIPT, AUDIO)
    rate, samples = heard(tmp_path / "calls" / "a_call.wav")
    assert rate == 16000
    assert len(samples) > 32000 * SCRIPT.end
    assert samples == AUDIO[: len(samples)]
    assert stat.S_IMODE((tmp_path / "calls" / "a_call.wav").stat().st_mode) == 0o600
    assert read(tmp_path / "calls" / "a_call.jsonl").ended == "closed"


async def test_a_lost_connection_costs_none_of_it(tmp_path: Path) -> None:
    """What the next connection is sent again is there once, at its place."""
    session = new_session(tmp_path / "call.jsonl", audio=True)
    await hold(session, SCRIPT, AUDIO, faults=["drop@turn1.mid/1"])
    trace = read(tmp_path / "call.jsonl")
    assert len(trace.facts("Connected")) == 2
    _, samples = heard(tmp_path / "call.wav")
    assert len(samples) > 32000 * SCRIPT.end
    assert samples == AUDIO[: len(samples)]


async def test_what_kills_the_call_costs_the_last_moments(tmp_path: Path) -> None:
    """At any time the file on the disk is a WAV file of all but the last half second or so."""
    session = new_session(tmp_path / "call.jsonl", audio=True)
    lengths: list[float] = []

    async def look() -> None:
        began = anyio.current_time()
        for second in range(1, 6):
            await anyio.sleep_until(began + second)
            _, samples = heard(tmp_path / "call.wav")
            assert samples == AUDIO[: len(samples)]
            lengths.append(second - len(samples) / 32000)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(look)
        await hold(session, SCRIPT, AUDIO)
    assert max(lengths) < 0.8


async def test_its_bound_ends_the_audio_and_not_the_call(tmp_path: Path) -> None:
    """It is said once, and the trace goes on."""
    recorder = Recorder(tmp_path / "call.jsonl", audio=True, max_audio_bytes=64_000)
    with structlog.testing.capture_logs() as logs:
        await hold(new_session(recorder), SCRIPT, AUDIO)
    assert heard(tmp_path / "call.wav")[1] == AUDIO[:64_000]
    assert read(tmp_path / "call.jsonl").ended == "closed"
    (entry,) = [entry for entry in logs if entry["event"] == "recording_audio_full"]
    assert entry["seconds"] == 2.0


async def test_a_disk_that_fails_costs_the_audio_only(tmp_path: Path) -> None:
    """A file that is there is never overwritten."""
    (tmp_path / "call.wav").write_bytes(b"precious")
    with structlog.testing.capture_logs() as logs:
        await hold(new_session(tmp_path / "call.jsonl", audio=True), SCRIPT, AUDIO)
    assert (tmp_path / "call.wav").read_bytes() == b"precious"
    assert read(tmp_path / "call.jsonl").ended == "closed"
    assert [entry["event"] for entry in logs if entry["event"].startswith("recording")] == ["recording_audio_failed"]


async def test_namesakes_in_a_directory_keep_their_pairs(tmp_path: Path) -> None:
    """A WAV that is there already belongs to another call."""
    (tmp_path / "a.wav").write_bytes(b"precious")
    await hold(new_session(tmp_path, audio=True, id="a"), SCRIPT, AUDIO)
    assert (tmp_path / "a.wav").read_bytes() == b"precious"
    assert read(tmp_path / "a-2.jsonl").ended == "closed"
    assert len(heard(tmp_path / "a-2.wav")[1]) > 32000 * SCRIPT.end


async def test_mulaw_is_kept_as_it_is(tmp_path: Path) -> None:
    """As the telephone sends it, with the header that says so."""
    options = FluxOptions(encoding="mulaw", sample_rate=8000, eot_threshold=0.7)
    audio = bytes(i * 7 % 251 for i in range(8000 * 20))
    await hold(new_session(tmp_path / "call.jsonl", audio=True), SCRIPT, audio, options)
    data = (tmp_path / "call.wav").read_bytes()
    assert (data[20:22], data[24:28]) == (b"\x07\0", (8000).to_bytes(4, "little"))
    assert int.from_bytes(data[40:44], "little") == len(data) - 44
    assert data[44:] == audio[: len(data) - 44]


async def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """A source that does not tell what it sends: the call goes on, without audio."""

    async def nothing() -> AsyncIterator[object]:
        nobody: tuple[object, ...] = ()
        for message in nobody:
            yield message

    with structlog.testing.capture_logs() as logs:
        await Session(record=tmp_path / "call.jsonl", audio=True, options=OPTIONS).run(nothing())
    assert "the source does not say" in next(e["reason"] for e in logs if e["event"] == "recording_without_audio")


def test_settings_that_cannot_work(tmp_path: Path) -> None:
    """Each is refused before the call, and says what to do instead."""
    with pytest.raises(ConfigError, match="record=None"):
        Session(audio=True)
    with pytest.raises(ConfigError, match=r"Recorder\(path, audio=True\)"):
        Session(record=Recorder(tmp_path), audio=True)
    with pytest.raises(ConfigError, match="redact"):
        Recorder(tmp_path, audio=True, redact=True)
    with pytest.raises(ConfigError, match="max_audio_bytes"):
        Recorder(tmp_path, audio=True, max_audio_bytes=1)
