"""From options, credential and address to an open stream, and back down again."""

from __future__ import annotations

import logging
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from ipaddress import ip_address
from math import isfinite
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..errors import ConfigError
from ..logs import logger
from ..running import on_trio
from ..wire import MODELS, FluxOptions
from .failures import PING, header, translate
from .stream import FluxStream

_DEFAULTS = FluxOptions()
_MAX_SIZE = 2**20
# Frames that wait for a slow consumer before websockets stops reading, and with it answering pings and seeing pongs.
# At Flux's fastest, one message per 80 ms, these are 82 s: longer than our own ping deadline (40 s) and Flux's idle
# one (60 s). So a busy consumer never costs the connection, a dead one does, and memory is bounded all the same.
_MAX_QUEUE = 1024


def connect(
    options: FluxOptions = _DEFAULTS,
    *,
    api_key: str | None = None,
    token: str | None = None,
    url: str = "wss://api.deepgram.com",
    allow_unencrypted: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout: float = 10.0,
    send_timeout: float = 5.0,
    answer_timeout: float = 5.0,
    close_timeout: float = 2.0,
) -> AbstractAsyncContextManager[FluxStream]:
    """Open a stream to Flux for an `async with`; leaving it finalises, drains and closes (`FluxStream.close`).

    `api_key` is a Deepgram key, `token` a temporary JWT; one of them, or none for a host that is not Deepgram's.
    turnkit never reads them from the environment. `url` is scheme and host; the path is always `/v2/listen`.
    `allow_unencrypted` permits `ws://` beyond this machine: audio, words and key then travel in the clear.
    `ssl_context` replaces the system's trust, for a private certificate authority. Bounds, all in seconds:
    `connect_timeout` for the handshake, and again for Flux's Connected; `send_timeout` for each frame to leave;
    `answer_timeout` for Flux to answer a Configure or a ForceEndTurn; `close_timeout` for the rest of the stream to
    arrive on leaving. Left by cancellation or another BaseException, the socket is dropped at once.

    Raises ConfigError at once, before the network is touched; on entering, FluxError if Flux refuses (its `advice`
    says what to do), ConnectionFailed if it cannot be reached or stays silent, RemoteProtocolError if what answers
    is not Flux.
    """
    if not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    bounds = {"connect": connect_timeout, "send": send_timeout, "answer": answer_timeout, "close": close_timeout}
    for name, bound in bounds.items():
        if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not isfinite(bound) or bound <= 0:
            raise ConfigError(f"{name}_timeout={bound!r}: must be a positive, finite number of seconds")
    parts = _checked_url(url, allow_unencrypted)
    headers = _authorization(parts.hostname or "", api_key, token)
    if parts.scheme == "ws" and ssl_context is not None:
        raise ConfigError("ssl_context: has no meaning for a ws:// url")
    if options.model not in MODELS:
        logger().warning("flux_model_unknown", model=options.model)
    settings: dict[str, Any] = {} if ssl_context is None else {"ssl": ssl_context}
    settings |= {"additional_headers": headers, "open_timeout": connect_timeout, "close_timeout": close_timeout}
    return _opened(options, parts, settings, api_key or token or "", bounds)


@asynccontextmanager
async def _opened(
    options: FluxOptions, parts: SplitResult, settings: dict[str, Any], secret: str, bounds: dict[str, float]
) -> AsyncIterator[FluxStream]:
    uri = f"{parts.scheme}://{parts.netloc}/v2/listen?{options.to_query()}"
    opening = _websocket(uri, settings)
    # By hand, because what opening raises is mapped and what the body raises is not; an exit stack costs a kilobyte.
    try:
        websocket = await opening.__aenter__()
    except Exception as error:
        raise translate(error, parts.netloc, secret) from error
    try:
        stream = FluxStream(websocket, options, parts.netloc, bounds)
        stream.request_id = header(websocket.response, "dg-request-id")
        try:
            await stream._greet()
            logger().debug("flux_connected", request_id=stream.request_id)
            try:
                yield stream
            except Exception:
                await stream._leave()
                raise
            await stream._leave()
        finally:
            stream._closing = True
            await stream._drop()
            stream._end(None)
            logger().debug("flux_closed", request_id=stream.request_id, missed_messages=stream.missed_messages)
    finally:
        await opening.__aexit__(*sys.exc_info())


def _websocket(uri: str, settings: dict[str, Any]) -> AbstractAsyncContextManager[Any]:
    connect: Any
    if on_trio():
        from websockets.trio.client import connect
    else:
        from websockets.asyncio.client import connect
    # At debug level websockets logs headers and frames, which hold the key and what was said.
    quiet = logging.getLogger("turnkit.websockets")
    quiet.setLevel(logging.WARNING)
    opening: AbstractAsyncContextManager[Any] = connect(
        uri,
        compression=None,  # audio does not compress, and the windows cost 50 KiB a connection
        user_agent_header=f"turnkit/{_version()}",
        ping_interval=PING,
        ping_timeout=PING,
        max_size=_MAX_SIZE,
        max_queue=_MAX_QUEUE,
        logger=quiet,
        **settings,
    )
    return opening


def _version() -> str:
    try:
        return version("turnkit")
    except PackageNotFoundError:  # run from a source tree
        return "unknown"


def _checked_url(url: str, allow_unencrypted: bool) -> SplitResult:
    # No message quotes more than scheme and host: callers have put keys into the rest.
    try:
        if not isinstance(url, str) or any(character.isspace() for character in url):
            raise ValueError
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        if not host or parts.port == 0:
            raise ValueError
    except ValueError:
        raise ConfigError("url: must be a scheme and a host, such as wss://api.eu.deepgram.com") from None
    if parts.scheme not in ("ws", "wss"):
        raise ConfigError(f"url: must begin with wss:// (or ws://), not {parts.scheme + '://'!r}")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("url: must hold no user name or password; give the key as api_key=")
    if parts.path not in ("", "/", "/v2/listen") or parts.query or parts.fragment:
        raise ConfigError(
            f"url: must be scheme and host only, such as {parts.scheme}://{parts.netloc}; the path is always "
            "/v2/listen, and parameters are given as FluxOptions"
        )
    if parts.scheme == "ws" and not allow_unencrypted and not _is_loopback(host):
        raise ConfigError(
            f"url: ws:// to {parts.netloc} would send audio, words and key unencrypted; use wss://, or "
            "allow_unencrypted=True in a network you trust"
        )
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authorization(host: str, api_key: str | None, token: str | None) -> dict[str, str]:
    """The headers that carry the credential; no message quotes it."""
    if api_key is not None and token is not None:
        raise ConfigError("api_key, token: give one of them, not both")
    deepgrams = host == "deepgram.com" or host.endswith(".deepgram.com")
    if not (api_key or token) and deepgrams:
        raise ConfigError(f"api_key: {host} needs a key; set DEEPGRAM_API_KEY and pass it as api_key, or pass a token")
    for name, scheme, secret in (("api_key", "Token", api_key), ("token", "Bearer", token)):
        if secret is None:
            continue
        if not isinstance(secret, str) or not secret or any(not "!" <= character <= "~" for character in secret):
            raise ConfigError(
                f"{name}: must be the bare credential, ASCII without spaces or line breaks (its value is not shown)"
            )
        return {"Authorization": f"{scheme} {secret}"}
    return {}
