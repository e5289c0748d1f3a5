"""The file of a call's audio: by place, bounded, and a WAV file after every flush."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkit import ConfigError, FluxOptions
from turnkit.trace.audio_file import AudioFile

OPTIONS = FluxOptions(encoding="linear16", sample_rate=8000)


def samples(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def opened(path: Path, max_bytes: int = 1 << 24) -> AudioFile:
    audio = AudioFile(OPTIONS, max_bytes)
    audio.open(path)
    return audio


def test_what_was_never_sent_is_silence(tmp_path: Path) -> None:
    """So that a second of the file stays a second of the stream."""
    audio = opened(tmp_path / "a.wav")
    audio.add(0, b"\1\1")
    audio.add(8, b"\2\2")
    audio.close()
    assert samples(tmp_path / "a.wav") == b"\1\1\0\0\0\0\0\0\2\2"
    law = AudioFile(FluxOptions(encoding="alaw", sample_rate=8000), 1000)
    law.open(tmp_path / "b.wav")
    law.add(2, b"\1")
    law.close()
    assert (tmp_path / "b.wav").read_bytes()[44:] == b"\xd5\xd5\1"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=12), st.integers(1, 40))
def test_any_order_of_places_gives_the_stream(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int]], bound: int
) -> None:
    """Sent twice, in parts, over each other: what was sent first at a place after the end stands, up to the bound."""
    path = tmp_path_factory.mktemp("any") / "a.wav"
    audio = opened(path, max_bytes=bound * 2)
    source, expected = bytes(range(1, 251)), b""
    for place, size in cuts:
        place, size = place * 2, size * 2
        audio.add(place, source[place : place + size])
        if place > len(expected):
            expected += bytes(place - len(expected))
        expected += source[len(expected) : place + size]
        audio.flush()
        assert samples(path) == expected[: bound * 2]
    audio.close()


def test_nothing_is_kept_in_memory_without_end(tmp_path: Path) -> None:
    """Whoever never flushes has it written all the same."""
    audio = opened(tmp_path / "a.wav")
    for i in range(100):
        audio.add(i * 32_000, bytes(32_000))
    assert (tmp_path / "a.wav").stat().st_size > 2_000_000
    assert audio.seconds > 100
    audio.close()
    audio.close()


def test_containers_cannot_be_kept() -> None:
    """Their bytes do not tell their time."""
    with pytest.raises(ConfigError, match="a container cannot be kept as WAV"):
        AudioFile(FluxOptions(encoding=None, sample_rate=None), 1000)


def test_a_disk_that_fails_never_raises(tmp_path: Path) -> None:
    """The failure is kept, and what comes after it is dropped."""
    audio = opened(tmp_path / "no" / "where.wav")
    audio.add(0, b"\1\1")
    audio.flush()
    audio.close()
    assert isinstance(audio.failure, FileNotFoundError)
