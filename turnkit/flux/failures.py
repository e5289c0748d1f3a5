"""Turnkit's errors for what goes wrong on the way to Flux: whose fault it is, and what to do."""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets import exceptions as ws

from ..errors import ConfigError, ConnectionFailed, FluxError, LocalProtocolError, RemoteProtocolError, TurnkitError
from ..wire import ErrorMessage
from .credential import Credential

PING = 20.0  # seconds between pings, and until a pong is due; Flux hangs up after 60 s without any traffic
UNPARSABLE = "UNPARSABLE_CLIENT_MESSAGE"
_REFUSAL_ADVICE = {
    400: "A parameter is wrong or not known to this host: compare the options with what its release takes",
    401: "Check the key; temporary tokens go in token=, not api_key=: as a function, if the stream may connect again",
    402: "The project is out of credit: top it up in Deepgram's console",
    403: "Check the name of the model, and that the key's project has access to it",
    404: "Check the url: Flux is served at /v2/listen, on a self-hosted server only if listen_v2 is enabled",
    429: "Too many streams at once: close some, or back off before the next attempt",
}
_ERROR_ADVICE = {
    UNPARSABLE: "This deployment does not know a command that was sent: older ones lack Configure or ForceEndTurn",
    "INTERNAL_SERVER_ERROR": "Connect again",
}


def translate(error: Exception, host: str, credential: Credential) -> TurnkitError:
    """Turnkit's error for whatever websockets, anyio, trio or the system raised in talking to `host`.

    The credential is hidden in what was raised, too: it is the cause of what is raised next.
    """
    if isinstance(error, TurnkitError):
        return error
    if isinstance(error, ws.InvalidProxy):  # quotes the address of the proxy, whose password may stand in it
        error.proxy, error.args = "…", ("…", error.msg)
    credential.cleanse(error)
    if isinstance(error, ws.InvalidStatus):
        return refused(error.response, host, credential)
    if isinstance(error, ws.ConnectionClosed):
        return closed(error, host)
    if isinstance(error, (ws.InvalidURI, ws.InvalidProxy, ImportError)):
        return ConfigError("url or proxy: the address, or the proxy that the environment asks for, cannot be used")
    if isinstance(error, ws.ConcurrencyError):
        return LocalProtocolError(f"two tasks use the connection to {host} in the same way at once")
    hung_up = isinstance(error, ws.InvalidMessage) and isinstance(error.__cause__, EOFError)
    if isinstance(error, ws.WebSocketException) and not isinstance(error, ws.ProxyError) and not hung_up:
        return RemoteProtocolError(f"{host} is no WebSocket server ({error}); check the url's host, port and scheme")
    if isinstance(error, ws.ProxyError):
        what = f"the proxy on the way to {host} refused: {error}; check the proxy settings"
    elif hung_up:
        what = f"{host} hung up during the handshake; check the url's port and scheme"
    elif isinstance(error, TimeoutError):
        what = f"{host} did not answer within connect_timeout; check the network, and any firewall or proxy"
    elif isinstance(error, socket.gaierror):
        what = f"no address was found for {host}; check its spelling and the name server"
    elif isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        what = f"TLS with {host} failed ({error.__cause__ or error}); check the url's scheme and the certificate"
    elif isinstance(error, OSError):
        what = f"{host} could not be reached ({_reason(error)}); check host, port and network"
    else:
        what = f"the connection to {host} failed ({type(error).__name__})"
    return ConnectionFailed(what, (error,))


def _reason(error: OSError) -> str:
    """What the system says, in its own words: Python's have a number and an address beside them."""
    if error.errno and os.name != "nt":
        return os.strerror(error.errno)
    return re.sub(r"\[Errno -?\d+\] ", "", error.strerror or str(error)) or type(error).__name__


def close_code(error: Exception) -> int | None:
    """The code the other side closed with, 1006 if with none; None if the error is no close."""
    if not isinstance(error, ws.ConnectionClosed):
        return None
    return int(error.rcvd.code) if error.rcvd else 1006


def closed(error: ws.ConnectionClosed, host: str) -> TurnkitError:
    """The error for a connection that ended without being asked to."""
    if error.sent is not None and not error.rcvd_then_sent and error.sent.code in (1002, 1007, 1009):
        return RemoteProtocolError(f"{host} sent what is no message of Flux: {error.sent.code} {error.sent.reason}")
    if error.sent is not None and error.rcvd is None and error.sent.code == 1011:
        return ConnectionFailed(f"{host} did not answer a ping within {PING} s", (error,))
    reason = f", {error.rcvd.reason!r}" if error.rcvd and error.rcvd.reason else ""
    how = f"code {close_code(error)}{reason}" if error.rcvd else "code 1006: no close frame, the connection was lost"
    return ConnectionFailed(f"{host} closed the stream, unasked ({how})", (error,))


def flux_error(message: ErrorMessage, request_id: str) -> FluxError:
    """The error for Flux's own Error, with advice."""
    advice = _ERROR_ADVICE.get(message.code, "")
    return FluxError(message.code, message.description, request_id=message.request_id or request_id, advice=advice)


def refused(response: Any, host: str, credential: Credential) -> TurnkitError:
    """The error for a refused upgrade.

    Flux's reason is in the body, in one of two shapes, or in the header `dg-error`.
    """
    status = int(response.status_code)
    try:
        body = msgspec.json.decode(response.body or b"", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError):
        body = {}
    code = str(body.get("err_code") or body.get("code") or "")
    description = str(body.get("err_msg") or body.get("description") or header(response, "dg-error"))
    request_id = str(body.get("request_id") or header(response, "dg-request-id"))
    # Once more: what is escaped in JSON shows only now.
    code, description, request_id = map(credential.hide, (code, description, request_id))
    advice = _REFUSAL_ADVICE.get(status, "")
    refusal = FluxError(code, description[:500], request_id=request_id, status=status, advice=advice)
    if status >= 500:
        return ConnectionFailed(f"{host} is not available now, try again later. {refusal}", (refusal,))
    if status < 400:
        what = f"{host} answered HTTP {status} instead of opening a WebSocket"
        if 300 <= status < 400 and (location := header(response, "Location")):
            return RemoteProtocolError(
                f"{what}: it redirects to {_origin(location)!r}, which is not followed, because audio goes only where "
                "url says; if that is where Flux is, give it as the url"
            )
        return RemoteProtocolError(f"{what}; check the url")
    return refusal


def header(response: Any, name: str) -> str:
    """The first header of that name; empty if there is none."""
    values = response.headers.get_all(name)
    return str(values[0]) if values else ""


def _origin(location: str) -> str:
    """Scheme and host of an address: callers have put keys into the rest."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:200] if parts.netloc else "another path of the host"
