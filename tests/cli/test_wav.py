"""WAV files: what Flux can take is read, what it cannot is refused with the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.wav_file import write_wav
from turnkit.cli.wav import read_wav
from turnkit.errors import ConfigError


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
def test_mono_linear16_is_read_whole(rate: int, tmp_path: Path) -> None:
    """Every sample rate that Flux takes."""
    wav = read_wav(write_wav(tmp_path / "a.wav", rate=rate, frames=rate // 10))
    assert wav.sample_rate == rate
    assert wav.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ({"channels": 2}, r"2 channel\(s\) of 16 bits at 16000 Hz"),
        ({"width": 1}, "of 8 bits"),
        ({"rate": 11025}, "at 11025 Hz"),
    ],
)
def test_what_flux_cannot_take_is_named(odd: dict[str, int], said: str, tmp_path: Path) -> None:
    """The error says what the file holds, what is needed, and how to convert it."""
    with pytest.raises(ConfigError, match=said + ".*must be mono, 16 bits.*sox"):
        read_wav(write_wav(tmp_path / "odd.wav", **odd))


@pytest.mark.parametrize("junk", [b"", b"RIFF", b"RIFF\x00\x00\x00\x00WAVE", b"fLaC" + bytes(100), b"{}"])
def test_what_is_no_wav_is_refused(junk: bytes, tmp_path: Path) -> None:
    """Files that are something else, or are cut off."""
    path = tmp_path / "junk.wav"
    path.write_bytes(junk)
    with pytest.raises(ConfigError, match=r"junk\.wav: is not a WAV file"):
        read_wav(path)


def test_a_cut_file_gives_what_it_has(tmp_path: Path) -> None:
    """A recording that was cut off in mid-sample is read up to its last whole sample."""
    path = write_wav(tmp_path / "cut.wav")
    path.write_bytes(path.read_bytes()[:-41])
    assert len(read_wav(path).audio) == 278


def test_no_file_and_no_audio(tmp_path: Path) -> None:
    """A missing file, a folder, and a WAV of no length."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_wav(tmp_path / "missing.wav")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_wav(tmp_path)
    with pytest.raises(ConfigError, match="holds no audio"):
        read_wav(write_wav(tmp_path / "empty.wav", frames=0))
