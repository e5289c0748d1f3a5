"""The clock of Ogg-Opus: granule positions, less what is skipped at the start (RFC 3533, RFC 7845)."""

from __future__ import annotations

from .opus_time import NotAudio, Timeline, packet_seconds

CAPTURE = b"OggS"

_HEADER_BYTES = 27
_FIRST_PAGE = 2  # a bit of the flags
_CONTINUED = 1
_GRANULES_PER_SECOND = 48000  # whatever rate was recorded at
_UNDECIDED = (1 << 64) - 1  # the granule position of a page on which no packet ends
_HEADERS = 2  # packets before the sound: OpusHead and OpusTags


class OggClock:
    """Counts the seconds of an Ogg-Opus stream, a page when the whole of it is there.

    Streams may follow one another; of streams at the same time the one that began last counts. What is no page is
    passed over.

    Attributes:
        seconds: received so far.
    """

    def __init__(self) -> None:
        self._timeline = Timeline()
        self._waiting = bytearray()
        self._serial: bytes | None = None
        self._packets = 0
        self._head = b""  # the first two bytes of a packet that has not ended
        self._begun = False  # there is such a packet
        self._held = 0.0  # seconds of packets since the last timestamp

    @property
    def seconds(self) -> float:
        """Seconds received so far."""
        return self._timeline.seconds

    def hear(self, data: bytes) -> None:
        """Take more bytes. Raises NotAudio for an Ogg stream that is not Opus."""
        self._waiting += data
        at = 0
        while (found := self._waiting.find(CAPTURE, at)) >= 0:
            at = found
            body = at + _HEADER_BYTES
            if len(self._waiting) < body:
                break
            if self._waiting[at + 4]:
                at += 1  # of no version that there is: these four bytes begin no page
                continue
            lacing = bytes(self._waiting[body : body + self._waiting[body - 1]])
            end = body + self._waiting[body - 1] + sum(lacing)
            if len(self._waiting) < end:
                break
            self._read(bytes(self._waiting[at:end]), lacing)
            at = end
        else:
            # All but what may be the beginning of the next page.
            at = max(at, len(self._waiting) - len(CAPTURE) + 1)
        del self._waiting[:at]

    def _read(self, page: bytes, lacing: bytes) -> None:
        flags, serial = page[5], page[14:18]
        if flags & _FIRST_PAGE:
            self._begin(serial, page[_HEADER_BYTES + len(lacing) :])
        elif self._serial is None:
            raise NotAudio("an Ogg stream that does not begin as Opus does")
        if serial != self._serial:
            return
        if not flags & _CONTINUED:
            self._head, self._begun = b"", False
        self._read_packets(page, lacing, lost=bool(flags & _CONTINUED) and not self._begun)
        granule = int.from_bytes(page[6:14], "little")
        if self._held and granule != _UNDECIDED:
            end = granule / _GRANULES_PER_SECOND
            self._timeline.reach(end, min(self._held, end))
            self._held = 0.0

    def _begin(self, serial: bytes, head: bytes) -> None:
        if not head.startswith(b"OpusHead") or len(head) < 12:
            return
        self._serial = serial
        self._packets, self._held = 0, 0.0
        self._head, self._begun = b"", False
        self._timeline.restart(int.from_bytes(head[10:12], "little") / _GRANULES_PER_SECOND)

    def _read_packets(self, page: bytes, lacing: bytes, *, lost: bool) -> None:
        """Add up the packets that end on a page; `lost`: it goes on with one whose beginning is not there."""
        at = _HEADER_BYTES + len(lacing)
        for size in lacing:
            self._head = (self._head + page[at : at + min(size, 2)])[:2]
            self._begun = True
            at += size
            if size == 255:
                continue
            if not lost:
                self._packets += 1
                if self._packets > _HEADERS:
                    self._held += packet_seconds(self._head)
            lost = False
            self._head, self._begun = b"", False
