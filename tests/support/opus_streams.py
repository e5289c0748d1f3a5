"""Streams of Opus, written here: Ogg, WebM, and packets without a container. Nothing in them can be heard."""

from __future__ import annotations

import struct
from collections.abc import Iterable

PACKET = bytes([0x78]) + bytes(80)  # CELT, 20 ms
LONG = bytes([0x78 | 3, 3]) + bytes(300)  # three of these in one, longer than a page's segment
HEAD = b"OpusHead\x01\x01" + struct.pack("<HIhB", 312, 48000, 0, 0)
TAGS = b"OpusTags" + bytes(8)
SKIP = 312


def ogg_page(packets: Iterable[bytes], granule: int, *, flags: int = 0, serial: int = 7) -> bytes:
    """A page of Ogg."""
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    head = b"OggS\0" + bytes([flags]) + struct.pack("<QIII", granule, serial, 0, 0) + bytes([len(lacing)])
    return head + lacing + b"".join(packets)


def ogg_stream(packets: int, *, start: int = 0, trimmed: int = 0, serial: int = 7) -> bytes:
    """An Ogg-Opus stream of so many packets of 20 ms."""
    pages = [ogg_page([HEAD], 0, flags=2, serial=serial), ogg_page([TAGS], 0, serial=serial)]
    for first in range(0, packets, 10):
        last = min(first + 10, packets)
        granule = start + last * 960 - (trimmed if last == packets else 0)
        pages.append(ogg_page([PACKET] * (last - first), granule, flags=4 * (last == packets), serial=serial))
    return b"".join(pages)


def webm_element(name: str, body: bytes, *, unknown: bool = False) -> bytes:
    """An element of WebM."""
    size = b"\x01" + b"\xff" * 7 if unknown else (len(body) | 1 << 56).to_bytes(8, "big")
    return bytes.fromhex(name) + size + body


def webm_block(timestamp: int, packet: bytes = PACKET, *, track: int = 1, flags: int = 0x80) -> bytes:
    """A block of WebM, with one packet."""
    return bytes([0x80 | track]) + struct.pack(">hB", timestamp, flags) + packet


def webm_stream(
    packets: int, *, start_ms: int = 0, delay: int = 0, discarded: int = 0, codec: bytes = b"A_OPUS"
) -> bytes:
    """A WebM of so many packets of 20 ms, with a video track beside them."""
    video = webm_element("ae", webm_element("d7", b"\x02") + webm_element("86", b"V_VP8"))
    fields = webm_element("d7", b"\x01") + webm_element("86", codec) + webm_element("56aa", delay.to_bytes(4, "big"))
    tracks = webm_element("1654ae6b", video + webm_element("ae", fields))
    info = webm_element(
        "1549a966", webm_element("2ad7b1", (1_000_000).to_bytes(3, "big")) + webm_element("4d80", b"a test")
    )
    body = info + tracks + webm_element("ec", bytes(500))
    for first in range(0, packets, 50):
        body += webm_element("1f43b675", b"", unknown=True)
        body += webm_element("e7", (start_ms + first * 20).to_bytes(8, "big"))
        for at in range(first, min(first + 50, packets)):
            timestamp = (at - first) * 20
            body += webm_element("a3", webm_block(timestamp, bytes(70_000 if at == 3 else 500), track=2))
            if discarded and at == packets - 1:
                body += webm_element(
                    "a0", webm_element("a1", webm_block(timestamp)) + webm_element("75a2", discarded.to_bytes(4, "big"))
                )
            else:
                body += webm_element("a3", webm_block(timestamp))
    return webm_element("1a45dfa3", webm_element("4282", b"webm")) + webm_element("18538067", body, unknown=True)
