"""From what a client sends to what an ear takes: every encoding, cut anywhere, in pieces of one frame."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from tests.support.sounds import coded, tones
from turnkit.simulator.ear.decoding import CODINGS, Decoder, NotDecodable, decode, loudness

TONE = tones(1.0, 440.0, level=0.5)


def _samples(pcm: bytes) -> np.ndarray:
    return np.frombuffer(pcm, dtype="<i2") / 32768


@pytest.mark.parametrize(
    ("encoding", "code", "sample"),
    [
        ("mulaw", 0xFF, 0),
        ("mulaw", 0x7F, 0),
        ("mulaw", 0x00, -32124),
        ("mulaw", 0x80, 32124),
        ("mulaw", 0xF0, 120),
        ("mulaw", 0x6F, -132),
        ("alaw", 0xD5, 8),
        ("alaw", 0x55, -8),
        ("alaw", 0xAA, 32256),
        ("alaw", 0x2A, -32256),
        ("alaw", 0xC5, 264),
        ("alaw", 0xF5, 528),
    ],
)
def test_the_codes_of_g711_stand_for_what_its_tables_say(encoding: str, code: int, sample: int) -> None:
    """At both ends of segments."""
    assert CODINGS[encoding][0](bytes([code]))[0] * 32768 == sample


@pytest.mark.parametrize(
    ("encoding", "error"), [("linear16", 1e-4), ("linear32", 1e-4), ("mulaw", 0.02), ("alaw", 0.02)]
)
def test_every_encoding_gives_the_sound_back(encoding: str, error: float) -> None:
    """Within its own precision."""
    heard = _samples(decode(coded(TONE, encoding), encoding, 16000, 16000))
    assert np.max(np.abs(heard - TONE)) < error


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
def test_every_rate_comes_out_at_the_one_wanted(rate: int) -> None:
    """The same tone, at the same time, as far as it has come by then."""
    pytest.importorskip("soxr", reason="turnkit[ear] is not installed: .ci/interop has a room with it")
    decoder = Decoder("linear16", rate, 16000)
    decoder.take(coded(TONE, rate=rate))
    heard = _samples(b"".join(decoder.frames()))
    assert 14000 < len(heard) <= 16000
    inner = slice(1000, len(heard) - 1000)
    assert np.max(np.abs(heard[inner] - TONE[: len(heard)][inner])) < 0.02


@pytest.mark.parametrize("chunk", [1, 7, 2560, 4000])
def test_pieces_are_frames_however_the_bytes_come(chunk: int) -> None:
    """80 ms each; what is not a whole one waits."""
    audio = coded(TONE)[:-100]
    decoder = Decoder("linear16", 16000, 16000)
    pieces: list[bytes] = []
    for at in range(0, len(audio), chunk):
        decoder.take(audio[at : at + chunk])
        pieces += decoder.frames()
    assert [len(piece) for piece in pieces] == [2560] * 12
    assert np.allclose(_samples(b"".join(pieces)), _samples(audio[: 12 * 2560]), atol=1e-4)


def _wav(rate: int, samples: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(rate)
        made.writeframes(samples)
    return file.getvalue()


@pytest.mark.parametrize("chunk", [5, 1000, 10**6])
def test_a_wav_file_says_itself_what_it_is(chunk: int) -> None:
    """Its header is no sound, however it is cut."""
    file = _wav(16000, coded(TONE))
    decoder = Decoder(None, None, 16000)
    heard = b""
    for at in range(0, len(file), chunk):
        decoder.take(file[at : at + chunk])
        heard += b"".join(decoder.frames())
    assert np.allclose(_samples(heard), TONE[: len(heard) // 2], atol=1e-4)


def test_a_wav_file_in_mulaw_is_decoded_as_such() -> None:
    """By the tag in its header, also where the header is of the longer kind."""
    sound = coded(TONE, "mulaw")
    for tag, extra in ((7, b""), (0xFFFE, struct.pack("<HHIH14s", 22, 8, 0, 7, bytes(14)))):
        form = struct.pack("<HHIIHH", tag, 1, 16000, 16000, 1, 8) + extra
        head = b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", len(form)) + form + b"data\xff\xff\xff\xff"
        decoder = Decoder(None, None, 16000)
        decoder.take(head + sound)
        heard = _samples(b"".join(decoder.frames()))
        assert np.max(np.abs(heard - TONE[: len(heard)])) < 0.02


@pytest.mark.parametrize(
    ("audio", "why"),
    [
        (b"OggS" + bytes(20), "Opus is not decoded here"),
        (b"\x1a\x45\xdf\xa3" + bytes(20), "Opus is not decoded here"),
        (_wav(16000, b"")[:20] + struct.pack("<H", 2) + _wav(16000, b"")[22:], "coding 2 with 2 bytes"),
        (b"RIFF\0\0\0\0WAVE" + b"data" + bytes(4), "does not say its rate"),
    ],
)
def test_what_cannot_be_decoded_is_named(audio: bytes, why: str) -> None:
    """Rather than heard as noise."""
    with pytest.raises(NotDecodable, match=why):
        Decoder(None, None, 16000).take(audio)


def test_floating_point_that_is_no_number_is_silence() -> None:
    """And what is too loud is as loud as can be."""
    audio = np.array([np.nan, np.inf, -np.inf, 3.0, 0.5], dtype="<f4").tobytes()
    assert list(CODINGS["linear32"][0](audio)) == [0.0, 1.0, -1.0, 1.0, 0.5]


def test_loudness_is_in_decibels_below_full_scale() -> None:
    """A full sine has -3; silence has hardly any."""
    assert loudness(coded(tones(1.0, 440.0, level=1.0))) == pytest.approx(-3.0, abs=0.1)
    assert loudness(bytes(2560)) == pytest.approx(-120.0)
    assert loudness(b"") == -120.0
