"""What of Deepgram's REST API clients ask for beside `/v2/listen`: their projects, and a temporary token.

Sources: https://developers.deepgram.com/guides/fundamentals/token-based-authentication and
/reference/manage/projects/list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .auth import Credentials
from .parameters import Refused

PROJECTS = "/v1/projects"
GRANT = "/v1/auth/grant"

_TTL_SECONDS = 30
_LONGEST_TTL_SECONDS = 3600
_POST = b"POST "
_BODY_HEADER = "Turnkit-Body"
_LARGEST = 1 << 12  # bytes of head and body together, what websockets lets through as one header is twice that


def answer(path: str, headers: Mapping[str, str], credentials: Credentials, now: float) -> dict[str, Any]:
    """The answer to a request for one of the two.

    Raises:
        Refused: with Deepgram's status and body.
    """
    credentials.check(headers, now)
    body = headers.get(_BODY_HEADER)
    if (body is None) == (path == GRANT):
        raise Refused(405, {"err_code": "METHOD_NOT_ALLOWED", "err_msg": f"{path} is asked for in another way."})
    if body is None:
        return {"projects": [{"project_id": "00000000-0000-4000-8000-000000000000", "name": "turnkit's simulator"}]}
    ttl = _ttl(bytes.fromhex(body))
    return {"access_token": credentials.grant(now + ttl), "expires_in": ttl}


def _ttl(body: bytes) -> float:
    try:
        asked = msgspec.json.decode(body or b"{}", type=dict[str, Any]).get("ttl_seconds")
    except (msgspec.DecodeError, UnicodeError):
        asked = ""
    ttl = _TTL_SECONDS if asked is None else asked
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not 1 <= ttl <= _LONGEST_TTL_SECONDS:
        rule = f"ttl_seconds must be between 1 and {_LONGEST_TTL_SECONDS}"
        raise Refused(400, {"err_code": "INVALID_REQUEST_BODY", "err_msg": rule})
    return ttl


class PostReader:
    """Lets a server of websockets, which reads only GETs without a body, read a short POST: as a GET with a header.

    Args:
        protocol: of a connection of which nothing has been read; all else goes to it as it is.
    """

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._read = bytearray()
        protocol.receive_data = self._receive

    def _receive(self, data: bytes) -> None:
        self._read += data
        read = bytes(self._read)
        if read[: len(_POST)] == _POST[: len(read)]:  # it is one, or may yet be
            head, end, body = read.partition(b"\r\n\r\n")
            length = _content_length(head)
            if len(read) <= _LARGEST and (not end or len(body) < length):
                return
            if end and len(body) >= length:
                read = _as_get(head, body[:length])
        del self._protocol.receive_data  # from here on, the protocol's own
        self._protocol.receive_data(read)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 9:
            return int(value)
    return 0


def _as_get(head: bytes, body: bytes) -> bytes:
    first, *lines = head.split(b"\r\n")
    kept = [line for line in lines if line.partition(b":")[0].strip().lower() != b"content-length"]
    kept.append(_BODY_HEADER.encode() + b": " + body.hex().encode())
    return b"\r\n".join([b"GET " + first.removeprefix(_POST), *kept, b"", b""])
