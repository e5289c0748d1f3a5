"""The audio clock: how long raw audio and WAV files are, and where marked audio begins."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from turnkit.simulator import FRAME, marked_silence
from turnkit.simulator.audio_clock import AudioClock, MarkFinder
from turnkit.simulator.opus_time import NotAudio
from turnkit.simulator.parameters import read_query


@pytest.mark.parametrize(
    ("encoding", "rate", "bytes_per_second"),
    [("linear16", 16000, 32000), ("linear32", 8000, 32000), ("mulaw", 8000, 8000), ("alaw", 44100, 44100)],
)
def test_raw_audio_is_as_long_as_its_bytes(encoding: str, rate: int, bytes_per_second: int) -> None:
    """Width and rate make the seconds."""
    settings = read_query(f"model=flux-general-en&encoding={encoding}&sample_rate={rate}")
    clock = AudioClock(settings.bytes_per_second)
    assert clock.hear(bytes(bytes_per_second // 2)) == 0.5
    assert clock.hear(bytes(bytes_per_second)) == 1.5


def _wav(width: int, rate: int, *, channels: int = 1, filler: int = 0) -> bytes:
    block = width * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block, block, 8 * width)
    extra = b"FLLR" + struct.pack("<I", filler) + bytes(filler + filler % 2) if filler else b""
    return b"RIFF\xff\xff\xff\xffWAVE" + b"fmt " + struct.pack("<I", 16) + form + extra + b"data\xff\xff\xff\xff"


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
def test_a_wav_file_tells_its_own_rate_however_it_is_cut(chunk: int) -> None:
    """The header does not count as sound, and may come in pieces and with fillers."""
    data = _wav(2, 8000, filler=333) + bytes(8000)
    clock = AudioClock(None)
    seconds = [clock.hear(data[at : at + chunk]) for at in range(0, len(data), chunk)]
    assert seconds[-1] == clock.seconds == 0.5


def test_the_wav_of_the_recorded_session_is_as_long_as_it_says(preamble_wav: Path) -> None:
    """19.1 s of it."""
    assert AudioClock(None).hear(preamble_wav.read_bytes()) == pytest.approx(19.1, abs=0.1)


@pytest.mark.parametrize(
    "data", [b"fLaC" + bytes(20), bytes(64), b"RIFF\0\0\0\0AVI ", _wav(2, 8000, channels=2), bytes(12)]
)
def test_what_is_no_mono_wav_is_no_audio(data: bytes) -> None:
    """Other containers, raw audio without `encoding` and stereo are refused."""
    with pytest.raises(NotAudio):
        AudioClock(None).hear(data)


def test_a_wav_file_without_sound_is_given_up() -> None:
    """A header is not buffered for ever."""
    clock = AudioClock(None)
    with pytest.raises(NotAudio, match="no audio in the first"):
        clock.hear(b"RIFF\0\0\0\0WAVEjunk\xff\xff\xff\x7f" + bytes(70_000))
    with pytest.raises(NotAudio, match="before its sound"):
        AudioClock(None).hear(b"RIFF\0\0\0\0WAVEdata\0\0\0\0")


@pytest.mark.parametrize("chunk", [1, 7, 320, 2560, 100000])
@pytest.mark.parametrize("cut", [0, 1, 333, 64001])
def test_marked_audio_is_found_however_it_is_cut(chunk: int, cut: int) -> None:
    """To the byte, before the first frame that anything is said about."""
    sound = marked_silence(4.0, start=10.0)[cut:]
    finder = MarkFinder(32000)
    found = None
    taken = 0
    while not finder.done:
        found = finder.look(sound[taken : taken + chunk])
        taken += chunk
    assert found == pytest.approx(10.0 + cut / 32000, abs=1e-9)
    assert taken - chunk < FRAME * 32000


@pytest.mark.parametrize("data", [bytes(2560), b"\x7fTK\x01" * 640, marked_silence(0.08)[:0]])
def test_audio_without_marks_says_nothing(data: bytes) -> None:
    """The search is over within the first frame, and a container is not searched at all."""
    finder = MarkFinder(32000)
    assert finder.look(data) is None
    assert finder.done == bool(data)
    assert MarkFinder(None).done
    damaged = MarkFinder(32000)
    assert damaged.look(marked_silence(0.02)[:8] + struct.pack("<d", float("nan")) + bytes(2000)) is None
