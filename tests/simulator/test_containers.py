"""The clocks of Ogg-Opus, WebM with Opus and bare Opus packets, on streams that are written here."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.effort import tries
from tests.support.opus_streams import (
    HEAD,
    LONG,
    PACKET,
    SKIP,
    TAGS,
    ogg_page,
    ogg_stream,
    webm_block,
    webm_element,
    webm_stream,
)
from tests.support.simulator_client import CLOSE, call, events
from turnkit.simulator import Script, serve
from turnkit.simulator.audio_clock import AudioClock
from turnkit.simulator.opus_time import NotAudio, packet_seconds


def _seconds(data: bytes, size: int = 1 << 30) -> float:
    clock = AudioClock(None)
    for at in range(0, len(data), size):
        clock.hear(data[at : at + size])
    return clock.seconds


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        (ogg_stream(150), 3.0 - SKIP / 48000),
        (ogg_stream(150, trimmed=500), 3.0 - (SKIP + 500) / 48000),
        (ogg_stream(150, start=48000 * 3600), 3.0 - SKIP / 48000),  # joined an hour after its start
        (ogg_stream(50) + ogg_stream(100, serial=8), 3.0 - 2 * SKIP / 48000),  # one stream after the other
        (ogg_page([HEAD], 0, flags=2) + ogg_page([TAGS], 0) + ogg_page([LONG] * 20, 57600), 1.2 - SKIP / 48000),
        (webm_stream(150), 3.0),
        (webm_stream(150, start_ms=3_600_000), 3.0),
        (webm_stream(150, delay=6_500_000, discarded=13_500_000), 2.98),
        (webm_stream(50) + webm_stream(100), 3.0),
    ],
)
def test_a_container_is_as_long_as_its_timestamps_say(data: bytes, seconds: float) -> None:
    """To far less than 10 ms: what is skipped at the start and trimmed at the end is no sound, other tracks neither."""
    assert _seconds(data) == pytest.approx(seconds, abs=1e-6)


def test_a_packet_on_two_pages_counts_once_it_is_whole() -> None:
    """With the page that it ends on; the end of one whose beginning was lost is not counted as a packet."""
    head = b"OggS\0\0" + struct.pack("<QIII", (1 << 64) - 1, 7, 0, 0) + b"\x01\xff" + LONG[:255]
    tail = ogg_page([LONG[255:]], 2880, flags=1)
    start = ogg_page([HEAD], 0, flags=2) + ogg_page([TAGS], 0)
    assert _seconds(start + head) == 0.0
    assert _seconds(start + head + tail) == pytest.approx(0.06 - SKIP / 48000)
    assert _seconds(start + tail) == 0.0


def test_silence_that_was_not_sent_counts() -> None:
    """A recorder that leaves silence out leaves its time in the timestamps."""
    ogg = ogg_stream(50) + ogg_page([PACKET], 48000 * 6)
    assert _seconds(ogg) == pytest.approx(6.0 - SKIP / 48000)
    assert _seconds(webm_stream(50) + webm_element("a3", webm_block(5980))) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("flags", "packets"),
    [
        (0x82, b"\x02\x51\x51" + PACKET * 3),  # Xiph
        (0x84, b"\x02" + PACKET * 3),  # all of one size
        (0x86, b"\x02\xd1\xbf" + PACKET * 3),  # EBML
    ],
)
def test_packets_laced_into_one_block_all_count(flags: int, packets: bytes) -> None:
    """Whichever of the three ways they are laced in."""
    assert _seconds(webm_stream(50) + webm_element("a3", webm_block(1000, packets, flags=flags))) == pytest.approx(1.06)


@pytest.mark.parametrize("data", [ogg_stream(30, start=9600), webm_stream(60, delay=6_500_000, discarded=13_500_000)])
@settings(max_examples=tries(60), deadline=None)
@given(cuts=st.lists(st.integers(0, 80_000), max_size=30))
def test_any_cutting_gives_the_same_clock(data: bytes, cuts: list[int]) -> None:
    """At every cut as well: the clock is that of the bytes so far, however they came."""
    clock = AudioClock(None)
    places = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    for start, end in pairwise(places):
        assert clock.hear(data[start:end]) == _seconds(data[:end])


@pytest.mark.parametrize("data", [ogg_stream(30), webm_stream(30)])
def test_byte_by_byte_it_only_goes_forward(data: bytes) -> None:
    """One byte a message is as good as any other cutting."""
    clock = AudioClock(None)
    told = [clock.hear(data[at : at + 1]) for at in range(len(data))]
    assert told == sorted(told)
    assert told[-1] == _seconds(data)


@pytest.mark.parametrize("data", [ogg_stream(100), webm_stream(100)])
@settings(max_examples=tries(150), deadline=None)
@given(at=st.integers(0, 80_000), junk=st.binary(max_size=60), gone=st.integers(0, 3000))
def test_damage_is_silence(data: bytes, at: int, junk: bytes, gone: int) -> None:
    """Bytes lost, changed or put in: the clock is short by some at most, a minute over it at worst, and never fails."""
    damaged = data[:at] + junk + data[at + gone :]
    try:
        seconds = _seconds(damaged, 1000)
    except NotAudio:
        return
    assert seconds >= _seconds(data[:at], 1000)


def test_after_damage_the_next_page_or_cluster_is_found() -> None:
    """What was lost is made up for by the timestamps that follow."""
    ogg, webm = ogg_stream(150), webm_stream(150)
    assert _seconds(ogg[:3000] + ogg[4000:]) == pytest.approx(_seconds(ogg))
    half = webm.rindex(bytes.fromhex("1f43b675")) - 5000
    assert _seconds(webm[:half] + bytes(4000) + webm[half + 4000 :]) == pytest.approx(3.0)


@pytest.mark.parametrize("granule", [(1 << 64) - 2, 1 << 62, 0])
def test_a_timestamp_out_of_all_reason_moves_nothing(granule: int) -> None:
    """A page, or a cluster, whose time is absurd plays as long as its packets do at most."""
    assert _seconds(ogg_stream(50) + ogg_page([PACKET], granule)) <= 1.02
    assert (
        _seconds(webm_stream(50) + webm_element("e7", granule.to_bytes(8, "big")) + webm_element("a3", webm_block(0)))
        <= 1.021
    )


@pytest.mark.parametrize("name", ["2ad7b1", "e7"])
def test_a_number_longer_than_numbers_are_is_damage(name: str) -> None:
    """It fits no time that there is, and is no failure of the simulator's."""
    odd = webm_element(name, b"\x7f" * 3000)
    assert _seconds(webm_stream(50) + odd + webm_element("a3", webm_block(0))) <= 1.021
    track = webm_element(
        "ae", webm_element("d7", b"\x01") + webm_element("86", b"A_OPUS") + webm_element("56aa", b"\x7f" * 3000)
    )
    start = webm_element("1a45dfa3", b"") + webm_element("1654ae6b", track) + webm_element("1f43b675", b"")
    assert _seconds(start + webm_element("a3", webm_block(0))) == 0.0
    group = webm_element("a0", webm_element("a1", webm_block(1000)) + webm_element("75a2", b"\x7f" * 3000))
    assert _seconds(webm_stream(50) + group) == pytest.approx(1.0)


@pytest.mark.parametrize(
    "data",
    [
        ogg_page([b"\x01vorbis" + bytes(23)], 0, flags=2) + ogg_page([PACKET], 960),
        ogg_stream(10)[len(ogg_page([HEAD], 0)) :],
        webm_stream(10, codec=b"A_VORBIS"),
        webm_stream(10)[200:],
    ],
)
def test_what_holds_no_opus_is_no_audio(data: bytes) -> None:
    """Another codec, and a stream whose beginning went elsewhere."""
    with pytest.raises(NotAudio):
        _seconds(data)


@pytest.mark.parametrize(
    ("packet", "seconds"),
    [
        (b"\x00", 0.01),  # SILK
        (b"\x18", 0.06),
        (b"\x19", 0.12),
        (b"\x68", 0.02),  # hybrid
        (b"\x80", 0.0025),  # CELT
        (b"\xfb\x06", 0.12),
        (b"\xfb\x07", 0.0),  # longer than a packet may be
        (b"\x03", 0.0),  # does not say how many frames
        (b"", 0.0),
    ],
)
def test_an_opus_packet_says_how_long_it_plays(packet: bytes, seconds: float) -> None:
    """In its first byte or two; what no decoder takes is silence."""
    assert packet_seconds(packet) == pytest.approx(seconds)
    clock = AudioClock(None, "opus")
    if packet:
        clock.hear(packet)
    assert clock.seconds == pytest.approx(seconds)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "frames"),
    [
        ("", [ogg_stream(200)[at : at + 333] for at in range(0, len(ogg_stream(200)), 333)]),
        ("&encoding=ogg-opus&sample_rate=48000", [ogg_stream(200)]),
        ("&encoding=opus&sample_rate=48000", [PACKET] * 200),
        ("", [webm_stream(200)[at : at + 4096] for at in range(0, len(webm_stream(200)), 4096)]),
    ],
)
async def test_a_turn_is_heard_in_each_format(query: str, frames: list[bytes]) -> None:
    """Four seconds of it, over a socket."""
    async with serve(Script.parse("0.2 Yes, please.", seed=1)) as flux:
        messages, code = await call(flux, [*frames, CLOSE], f"model=flux-general-en{query}")
    assert events(messages) == ["StartOfTurn", "EndOfTurn"]
    assert code == 1005
    assert flux.connections[0].audio_seconds == pytest.approx(4.0, abs=0.01)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("query", "data"),
    [("", bytes(100)), ("&encoding=ogg-opus&sample_rate=48000", webm_stream(5)), ("", webm_stream(5, codec=b"A_AAC"))],
)
async def test_what_is_no_container_closes_the_connection_and_no_other(query: str, data: bytes) -> None:
    """With the code for audio that cannot be decoded."""
    async with serve(Script.parse("0.2 Yes, please.", seed=1)) as flux:
        _, code = await call(flux, [data], f"model=flux-general-en{query}")
        assert code == 1008
        messages, _ = await call(flux, [ogg_stream(200), CLOSE], "model=flux-general-en")
    assert "EndOfTurn" in events(messages)
