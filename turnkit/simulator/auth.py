"""Who may connect: the three ways in which Flux takes credentials, and the temporary tokens that it grants.

Sources: https://developers.deepgram.com/guides/fundamentals/token-based-authentication and
/docs/using-the-sec-websocket-protocol.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from hmac import compare_digest

from .parameters import Refused

_SCHEMES = ("token", "bearer")


class Credentials:
    """The API key and the temporary token that are accepted; where neither is set, anything is, even nothing at all."""

    def __init__(self, api_key: str | None, token: str | None) -> None:
        self._accepted = {
            scheme: secret.encode() for scheme, secret in zip(_SCHEMES, (api_key, token), strict=True) if secret
        }
        self._granted: dict[str, float] = {}

    def grant(self, until: float) -> str:
        """A temporary token that is accepted until then; it matters for the upgrade only, as Flux's do."""
        token = secrets.token_urlsafe(24)
        self._granted[token] = until
        return token

    def check(self, headers: Mapping[str, str], now: float = 0.0) -> None:
        """Refuse a request without an accepted credential; the header goes before the subprotocol.

        Raises:
            Refused: with status 401.
        """
        if not self._accepted:
            return
        scheme, secret = _given(headers)
        good = self._accepted.get(scheme)
        # An API key behind Bearer is refused, as Flux does: the two are not interchangeable.
        if scheme == "bearer" and self._granted.get(secret, now) > now:
            return
        if good is None or not compare_digest(secret.encode(), good):
            raise Refused(401, {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials."})


def choose_subprotocol(offered: Sequence[str]) -> str | None:
    """Choose the subprotocol to confirm: a browser drops the connection unless one that it offered is."""
    return next((name for name in offered if name.lower() in _SCHEMES), None)


def _given(headers: Mapping[str, str]) -> tuple[str, str]:
    authorization = headers.get("Authorization")
    if authorization is not None:
        scheme, _, secret = authorization.strip().partition(" ")
        return scheme.lower(), secret.strip()
    offered = [name.strip() for name in headers.get("Sec-WebSocket-Protocol", "").split(",")]
    chosen = choose_subprotocol(offered)
    if chosen is None:
        return "", ""
    at = offered.index(chosen) + 1
    return chosen.lower(), offered[at] if at < len(offered) else ""
