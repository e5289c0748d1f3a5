"""Tracebacks that show variables: the credential is in none of ours, wherever a call fails."""

from __future__ import annotations

from collections.abc import Callable
from traceback import TracebackException
from typing import Any

import anyio
import anyio.abc
import pytest
from rich.traceback import Traceback

from tests.support import variables_shown
from tests.support.flux_peer import DOWN, flux_peer, hanging_up_at_once, polite, tcp_peer
from tests.support.streams import TWO_SECONDS, everything
from turnkit.errors import ConfigError
from turnkit.flux import connect
from turnkit.flux.credential import Credential

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(not variables_shown.SAFE, reason=variables_shown.WHY)]

KEY = "eyJhbGciOiJIUzI1NiJ9." + "q7Rk" * 60 + ".s1gnature"  # as long as a token, of which rich shows the beginning


def shows_credential(error: BaseException) -> bool:
    """Whether it is in a variable of a frame that an error passed, or what led to it, as Python or rich show them."""
    told = [*TracebackException.from_exception(error, capture_locals=True).format()]
    for length in (80, None):
        trace = Traceback.extract(
            type(error), error, error.__traceback__, show_locals=True, locals_max_string=length or 1_000_000
        )
        told += [
            str(node) for stack in trace.stacks for frame in stack.frames for node in (frame.locals or {}).values()
        ]
    return any(KEY[:20] in text for text in told)


def secret() -> str:
    return KEY


async def secret_later() -> str:
    return KEY


CREDENTIALS: dict[str, Callable[[], dict[str, Any]]] = {
    "a key": lambda: {"api_key": KEY},
    "a token": lambda: {"token": KEY},
    "a function": lambda: {"token": secret},
    "an async function": lambda: {"token": secret_later},
}
UNUSABLE: dict[str, Callable[[], dict[str, Any]]] = {
    "a key of two lines": lambda: {"api_key": f"{KEY}\n{KEY}"},
    "a key as bytes": lambda: {"api_key": KEY.encode()},
    "a token of two lines": lambda: {"token": f"{KEY}\n{KEY}"},
    "a function's of two lines": lambda: {"token": lambda: f"{KEY}\n{KEY}"},
    "a function's as bytes": lambda: {"token": KEY.encode},
    "both": lambda: {"api_key": KEY, "token": KEY},
}


async def failure(credential: Callable[[], dict[str, Any]], url: str, **given: Any) -> BaseException:
    """What a call ends with; the credential is in no variable of this function."""
    given = {"reconnect_timeout": 0, "connect_timeout": 1, **given}
    with pytest.raises(Exception) as failed:  # noqa: PT012 - whatever it is
        async with connect(url=url, **credential(), **given) as stream:
            await stream.send_audio(TWO_SECONDS)
            await everything(stream)
    return failed.value


async def hanging_up(stream: anyio.abc.SocketStream) -> None:
    """Before anything was read: what the other side still sends cannot be delivered."""


async def saying_nothing(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await anyio.sleep_forever()


async def speaking_otherwise(stream: anyio.abc.SocketStream) -> None:
    await stream.receive()
    await stream.send(b"220 mail.example ESMTP\r\n\r\n")


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
async def test_a_host_that_is_none(credential: Callable[[], dict[str, Any]]) -> None:
    """Nobody listens, hangs up, is silent, or speaks otherwise; with TLS and without."""
    errors = [await failure(credential, "ws://127.0.0.1:9")]
    for peer in (hanging_up, saying_nothing, speaking_otherwise):
        async with tcp_peer(peer) as host:
            errors += [await failure(credential, f"{scheme}://{host}") for scheme in ("ws", "wss")]
    assert not [error for error in errors if shows_credential(error)]


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
async def test_a_call_that_fails(credential: Callable[[], dict[str, Any]]) -> None:
    """It is refused, is lost, cannot be had back, or fails in the caller's own hands."""
    errors = []
    for refusal in ((401, b"", {}), DOWN, (302, b"", {"Location": "wss://elsewhere.example"})):
        async with flux_peer(refuse=refusal) as peer:
            errors.append(await failure(credential, peer.url))
    async with flux_peer(hanging_up_at_once) as peer:
        errors += [await failure(credential, peer.url), await failure(credential, peer.url, reconnect_timeout=1)]
    async with flux_peer(hanging_up_at_once, refuse=lambda nth: DOWN if nth else None) as peer:
        errors.append(await failure(credential, peer.url, reconnect_timeout=4))
    assert not [error for error in errors if shows_credential(error)]


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
async def test_what_the_caller_raises(credential: Callable[[], dict[str, Any]]) -> None:
    """It passes through the frames of a stream that is open."""
    async with flux_peer(polite) as peer:
        with pytest.raises(RuntimeError) as failed:
            async with connect(url=peer.url, **credential()):
                raise RuntimeError("the caller's own")
    assert not shows_credential(failed.value)


@pytest.mark.parametrize("credential", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("given", [{"url": "ws://x[::1]"}, {"close_timeout": 0}, {"options": None}])
async def test_a_setting_that_cannot_work(credential: Callable[[], dict[str, Any]], given: dict[str, Any]) -> None:
    """It is refused in the frame that was given the credential."""
    error = await failure(credential, **{"url": "ws://127.0.0.1:9", **given})
    assert not shows_credential(error)


@pytest.mark.parametrize("credential", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_credential_that_cannot_work(credential: Callable[[], dict[str, Any]]) -> None:
    """Also then it may be one, or nearly."""
    error = await failure(credential, "ws://127.0.0.1:9")
    assert isinstance(error, ConfigError)
    assert not shows_credential(error)


async def test_a_credential_has_no_repr_and_reaches_its_host() -> None:
    """Not even its length is told."""
    credential = Credential("Bearer", KEY)
    header = credential.headers()
    assert (repr(credential), repr(Credential())) == ("<Credential Bearer>", "<Credential, none>")
    assert repr(header) == "{'Authorization': '…'}"
    assert str(header["Authorization"]) == f"Bearer {KEY}"
    async with flux_peer(polite) as peer, connect(url=peer.url, token=secret_later):
        pass
    assert peer.requests[0].headers["Authorization"] == f"Bearer {KEY}"
