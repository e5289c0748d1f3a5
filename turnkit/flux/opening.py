"""`connect`: checks the options, the credential, the address and the bounds, and opens a stream with them."""

from __future__ import annotations

import ssl
from contextlib import AbstractAsyncContextManager
from random import Random
from typing import TypeAlias

from ..errors import ConfigError
from ..logs import logger
from ..wire import MODELS, FluxOptions
from .address import checked_address, needs_key
from .bounds import Bounds
from .connecting import Connector, TokenSource
from .credential import Credential, checked_secret, hidden
from .stream import FluxStream, open_stream
from .transports import Transport, checked_transport

Token: TypeAlias = str | TokenSource
"""A temporary token, or what gets a fresh one for each connection."""

_RANDOM = Random()


def connect(
    options: FluxOptions = FluxOptions(),
    *,
    api_key: str | None = None,
    token: Token | None = None,
    url: str = "wss://api.deepgram.com",
    allow_unencrypted: bool = False,
    ssl_context: ssl.SSLContext | None = None,
    connect_timeout: float = 10.0,
    send_timeout: float = 5.0,
    answer_timeout: float = 5.0,
    close_timeout: float = 2.0,
    message_timeout: float = 10.0,
    silence_after: float = 0.5,
    reconnect_timeout: float = 60.0,
    backoff_first: float = 0.5,
    backoff_max: float = 8.0,
    replay_seconds: float = 15.0,
    transport: Transport | None = None,
) -> AbstractAsyncContextManager[FluxStream]:
    """Open a stream to Flux for an `async with`; leaving it finalises, drains and closes (`FluxStream.close`).

    Left by cancellation or another BaseException, the socket is dropped at once. A stream that is lost connects again
    (`FluxStream`): the first attempt comes at once, the next after `backoff_first`, then twice that and so on to
    `backoff_max`, each time a random half to the whole of it. A connection that holds for `backoff_max` ends the
    outage. The first connection of all is not retried. Nor may a turn go on for `answer_timeout` after a ForceEndTurn,
    whatever messages come: the connection is given up, and what was said since the last new words of that turn is sent
    again. A peer that answers no ping for 20 s, sent every 20 s, is given up too.

    Args:
        options: the query parameters. Default `FluxOptions()`.
        api_key: a Deepgram key; turnkit never reads one from the environment. Give it or `token`, or neither for a host
            that is not Deepgram's. Default None.
        token: a temporary JWT, or a function, async or not, that gets one for each connection: a JWT lives for seconds,
            and has expired by the time the stream connects again. Default None.
        url: scheme and host; the path is always `/v2/listen`. No redirect is followed: audio goes where the url says.
            `wss://` goes through the proxy that the environment names (`HTTPS_PROXY`, `NO_PROXY`), as a tunnel; this
            machine is always reached without. Default Deepgram's.
        allow_unencrypted: whether `ws://` is permitted beyond this machine: audio, words and key then travel in the
            clear, though through no proxy. Default False.
        ssl_context: replaces the system's trust, for a private certificate authority. Default None.
        connect_timeout: seconds for the handshake, again for Flux's Connected, and for the function that gets a token.
            Default 10.
        send_timeout: seconds for each frame to leave. Default 5.
        answer_timeout: seconds for Flux to answer a Configure or a ForceEndTurn. Default 5.
        close_timeout: seconds for the rest of the stream to arrive on leaving. Default 2.
        message_timeout: seconds for which audio flows and no message comes, after which Flux has stalled and the
            connection is given up. Default 10, some 40 of Flux's Updates; `inf`: never.
        silence_after: seconds, or twice the length of the last piece if that is more, for which no audio came inside a
            turn, after which silence is sent for it in real time until there is audio again or the turn has ended,
            because Flux's clock, and with it the end of the turn, runs on audio only. Default 0.5; `inf`: never, nor
            for containers and Opus, whose silence turnkit cannot make.
        reconnect_timeout: seconds that an outage may last before the stream gives up. Default 60: a minute outlives a
            deploy of the server, and few callers wait longer; 0: a loss is raised at once.
        backoff_first: seconds before the second attempt. Default 0.5.
        backoff_max: seconds between attempts at most. Default 8.
        replay_seconds: seconds of audio kept for the next connection, of what Flux had not covered yet and what came
            meanwhile, 32 kB a second at 16 kHz linear16; older audio is dropped and counted
            (`FluxStream.lost_audio_seconds`). Default 15, a long answer: what is older is too late to be answered.
        transport: the library that carries the frames: `websockets`, or `picows` (`turnkit[fast]`, on asyncio only),
            which takes less CPU. Default None: picows where it is installed and can be, else websockets
            (`FluxStream.transport` says which). Errors and bounds are the same.

    Returns:
        The context manager of a `FluxStream`. Entering it raises FluxError if Flux refuses (its `advice` says what to
        do), ConnectionFailed if it cannot be reached or stays silent, RemoteProtocolError if what answers is not Flux.
        An error of turnkit that a task group inside of it wraps, as the only one, leaves it without the group.

    Raises:
        ConfigError: at once, before the network is touched, for what cannot work.
    """
    api_key, token = hidden(api_key), hidden(token)  # from here on no traceback shows them
    if not isinstance(options, FluxOptions):
        raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
    waits = {"connect_timeout": connect_timeout, "send_timeout": send_timeout, "answer_timeout": answer_timeout}
    watch = {"message_timeout": message_timeout, "silence_after": silence_after, "close_timeout": close_timeout}
    again = {"reconnect_timeout": reconnect_timeout, "backoff_first": backoff_first, "backoff_max": backoff_max}
    bounds = Bounds(**waits, **watch, **again, replay_seconds=replay_seconds)
    address = checked_address(url, allow_unencrypted=allow_unencrypted)
    credential = _credential(address.host, api_key, token)
    if address.scheme == "ws" and ssl_context is not None:
        raise ConfigError("ssl_context: has no meaning for a ws:// url")
    if options.model not in MODELS:
        logger().warning("flux_model_unknown", model=options.model)
    chosen = checked_transport(transport)
    connector = Connector(address, credential, token if callable(token) else None, ssl_context, bounds, chosen)
    return open_stream(options, connector, bounds, _RANDOM)


def _credential(host: str, api_key: str | None, token: Token | None) -> Credential:
    """The credential to begin with, which is none yet if `token` is a function; no message quotes it."""
    if api_key is not None and token is not None:
        raise ConfigError("api_key, token: give one of them, not both")
    if not (api_key or token) and needs_key(host):
        raise ConfigError(f"api_key: {host} needs a key; set DEEPGRAM_API_KEY and pass it as api_key, or pass a token")
    if api_key is not None:
        return Credential("Token", checked_secret("api_key", api_key))
    if token is not None and not callable(token):
        return Credential("Bearer", checked_secret("token", token))
    return Credential()
