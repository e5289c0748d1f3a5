"""WAV files: what Flux can take is read, what it cannot is refused with the remedy."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.wav_file import write_wav
from turnkit.cli.wav import WavSource, read_wav
from turnkit.errors import ConfigError

PCM, FLOAT, ALAW, MULAW = 1, 3, 6, 7


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def header(code: int, bits: int, *, channels: int = 1, rate: int = 16000, more: bytes = b"") -> bytes:
    frame = channels * bits // 8
    a_second = min(rate * frame, 2**32 - 1)
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, a_second, frame, bits) + more)


def wav(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 44100, 48000])
def test_mono_linear16_is_read_whole(rate: int, tmp_path: Path) -> None:
    """Every sample rate that Flux takes."""
    found = read_wav(write_wav(tmp_path / "a.wav", rate=rate, frames=rate // 10))
    assert found.sample_rate == rate
    assert found.seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("code", "bits", "sound", "encoding", "made"),
    [
        (MULAW, 8, b"\x01\x02\xff", "mulaw", b"\x01\x02\xff"),
        (ALAW, 8, b"\x01\x02\xd5", "alaw", b"\x01\x02\xd5"),
        (PCM, 8, b"\x80\xff\x00", "linear16", struct.pack("<3h", 0, 0x7F00, -0x8000)),
        (PCM, 24, b"\xff\x34\x12\x00\x00\x80", "linear16", struct.pack("<2h", 0x1234, -0x8000)),
        (PCM, 32, struct.pack("<2i", 0x12345678, -(2**31)), "linear16", struct.pack("<2h", 0x1234, -0x8000)),
        (FLOAT, 32, struct.pack("<2f", 0.5, -1.0), "linear32", struct.pack("<2f", 0.5, -1.0)),
    ],
)
def test_each_kind_of_sample(code: int, bits: int, sound: bytes, encoding: str, made: bytes, tmp_path: Path) -> None:
    """As it is where Flux takes it, otherwise its upper 16 bits; the same as WAVE_FORMAT_EXTENSIBLE."""
    tail = struct.pack("<HHIH", 22, bits, 4, code) + bytes.fromhex("000000001000800000aa00389b71")
    for form in (header(code, bits), header(0xFFFE, bits, more=tail)):
        with WavSource(written(tmp_path, wav(form, chunk(b"data", sound)))) as source:
            assert (source.encoding, source.sample_rate) == (encoding, 16000)
            assert source.read_rest() == made
            assert source.over


@pytest.mark.parametrize(("code", "bits", "width"), [(PCM, 8, 2), (PCM, 16, 2), (PCM, 24, 2), (MULAW, 8, 1)])
def test_one_channel_of_two(code: int, bits: int, width: int, tmp_path: Path) -> None:
    """Each is taken when asked for, and nothing is guessed."""
    size = bits // 8
    sound = b"".join(bytes([one] * size + [one + 100] * size) for one in range(1, 9))
    path = written(tmp_path, wav(header(code, bits, channels=2), chunk(b"data", sound)))
    for channel, first in ((1, 1), (2, 101)):
        with WavSource(path, channel) as source:
            made = source.read_rest()[width - 1 :: width]
        assert made == bytes((first + at) ^ (0x80 if (code, bits) == (PCM, 8) else 0) for at in range(8))
    with pytest.raises(ConfigError, match=r"has 2 channels.*--channel 1.*ffmpeg -i .*a\.wav -ac 1"):
        WavSource(path)
    with pytest.raises(ConfigError, match="there is no channel 3"):
        WavSource(path, 3)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_sizes_that_are_not_known(size: int, tmp_path: Path) -> None:
    """What is written to a pipe has none; odd chunks, a LIST, before the sound."""
    data = wav(chunk(b"LIST", b"odd"), header(PCM, 16), chunk(b"junk", bytes(99)), chunk(b"data", b"ab" * 50, size))
    with WavSource(written(tmp_path, data)) as source:
        assert source.read_rest() == b"ab" * 50
        assert source.cut_off == ""


def test_what_follows_the_sound_is_no_sound(tmp_path: Path) -> None:
    """A LIST behind it, and the size of RF64."""
    form, sound, after = header(PCM, 16), b"ab" * 50, chunk(b"LIST", b"INFO" * 5)
    assert read_wav(written(tmp_path, wav(form, chunk(b"data", sound), after))).audio == sound
    for size in (0xFFFFFFFF, 100):  # what the data says itself is right, where it can
        long = chunk(b"ds64", struct.pack("<QQQI", 0, 100 if size == 0xFFFFFFFF else 7, 50, 0))
        data = b"RF64\xff\xff\xff\xff" + wav(long, form, chunk(b"data", sound, size), after)[8:]
        assert read_wav(written(tmp_path, data)).audio == sound


def test_a_long_size_that_is_not_known(tmp_path: Path) -> None:
    """An RF64 that was written to a pipe: all there is, and nothing is missing."""
    long = chunk(b"ds64", struct.pack("<QQQI", 2**64 - 1, 2**64 - 1, 2**64 - 1, 0))
    data = b"RF64\xff\xff\xff\xff" + wav(long, header(PCM, 16), chunk(b"data", b"ab" * 50, 0xFFFFFFFF))[8:]
    with WavSource(written(tmp_path, data)) as source:
        assert (source.read_rest(), source.cut_off) == (b"ab" * 50, "")


def test_a_cut_file_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    """A recording that was cut off in mid-sample is read up to its last whole sample."""
    path = write_wav(tmp_path / "cut.wav", frames=16000)
    path.write_bytes(path.read_bytes()[:-16001])
    with WavSource(path) as source:
        assert source.cut_off.endswith("is cut off: its header says 1.0 s of sound, and there are 0.5 s")
        assert len(source.read_rest()) == 15998


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"RIFF", "is not a WAV file;"),
        (b"fLaC" + bytes(100), "is not a WAV file but FLAC"),
        (b"ID3\x04" + bytes(100), "is not a WAV file but MP3"),
        (b"\xff\xfb\x90\x00" + bytes(100), "is not a WAV file but MP3 or AAC"),
        (b"OggS" + bytes(100), "is not a WAV file but Ogg"),
        (b"\0\0\0\x20ftypM4A " + bytes(100), "is not a WAV file but MP4"),
        (b"{}", "is not a WAV file;"),
        (wav(chunk(b"data", b"ab")), "sound begins before anything says what it is"),
        (wav(header(0x55, 16), chunk(b"data", b"ab")), "of MP3, not of PCM"),
        (wav(header(PCM, 16, rate=0), chunk(b"data", b"ab")), "0 Hz is no rate"),
        (wav(header(PCM, 16, channels=0), chunk(b"data", b"ab")), "do not make frames"),
        (wav(header(FLOAT, 64), chunk(b"data", bytes(8))), "samples of 64 bits"),
        (wav(header(MULAW, 8, rate=11025), chunk(b"data", b"ab")), "mulaw is not resampled"),
        (wav(header(PCM, 16), chunk(b"junk", b"", 1 << 31)), "no sound in its first 16 MiB"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    """What the file is, and the command that makes a fitting one."""
    with pytest.raises(ConfigError, match=rf"a\.wav: .*{said}.*ffmpeg -i \S*a\.wav -ac 1 -ar 16000"):
        WavSource(written(tmp_path, data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"RIFF\x00\x00\x00\x00WAVE", "is a WAV file that ends before any sound"),
        (wav(header(PCM, 16), chunk(b"data", b"")), "holds no audio"),
    ],
)
def test_no_command_makes_sound_of_nothing(data: bytes, said: str, tmp_path: Path) -> None:
    """So none is named."""
    with pytest.raises(ConfigError, match=rf"a\.wav: {said}$"):
        WavSource(written(tmp_path, data))


def test_without_the_library_other_rates_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install, and the way without."""
    monkeypatch.setitem(sys.modules, "soxr", None)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigError, match=r"is at 11025 Hz, .*turnkit\[wav\].*ffmpeg -i"):
        WavSource(write_wav(tmp_path / "odd.wav", rate=11025))


def test_what_has_no_end_is_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, a device."""
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_wav(tmp_path / "missing.wav")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_wav(tmp_path)
    with pytest.raises(ConfigError, match=r"must be a regular file.*turnkit run -"):
        WavSource(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("given_in", "said"),
    [(b"", "standard input: is empty"), (b"OggS" * 9, "but Ogg"), (bytes(99), "is not a WAV file")],
)
def test_standard_input_that_is_no_wav(given_in: bytes, said: str) -> None:
    """One line, and what to put before the pipe."""
    command = [sys.executable, "-m", "turnkit", "run", "-"]
    result = subprocess.run(command, input=given_in, capture_output=True, timeout=60, check=False)
    assert result.returncode == 1
    assert said in result.stderr.decode()
    assert "| turnkit run -" in result.stderr.decode()
    assert len(result.stderr.splitlines()) == 1


HEADS = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda form, sound, size: wav(chunk(b"fmt ", form), chunk(b"data", sound, size)),
        st.binary(max_size=44),
        st.binary(max_size=64),
        st.integers(0, 2**32 - 1),
    ),
    st.builds(
        lambda code, channels, rate, bits, sound: wav(
            header(code, bits, channels=channels, rate=rate), chunk(b"data", sound)
        ),
        st.sampled_from([PCM, FLOAT, ALAW, MULAW, 0xFFFE, 2]),
        st.integers(0, 9),
        st.sampled_from([0, 1, 8000, 11025, 16000]) | st.integers(0, 2**32 - 1),
        st.integers(0, 64),
        st.binary(max_size=64),
    ),
)


@given(data=HEADS, channel=st.none() | st.integers(1, 9))
@example(data=b"RF64\0\0\0\0WAVEds64\x10\0\0\0" + b"\xff" * 16, channel=None)
def test_any_bytes_are_read_or_refused(
    data: bytes, channel: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No header makes anything but audio in whole samples, or a sentence."""
    path = written(tmp_path_factory.getbasetemp(), data)
    try:
        source = WavSource(path, channel)
    except ConfigError:
        return
    with source:
        assert len(source.read_rest()) % source.sample_bytes == 0
