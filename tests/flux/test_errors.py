"""What goes wrong on the way, in turnkit's words; and what never gets into a log."""

from __future__ import annotations

import errno
import inspect
import json
import logging
import socket
import ssl
import subprocess
import sys
from typing import Any, cast

import anyio
import anyio.abc
import pytest
import trio
from structlog.testing import capture_logs
from websockets import exceptions as ws
from websockets.datastructures import Headers
from websockets.frames import Close
from websockets.http11 import Response

from tests.support.flux_peer import START, flux_peer, polite, turn_then_close
from tests.support.streams import KEY, TWO_SECONDS, opened
from turnkit.errors import FluxError, TurnkitError
from turnkit.flux import connect
from turnkit.flux import connecting as line
from turnkit.wire import FluxOptions

pytestmark = pytest.mark.anyio


def foreign_errors() -> list[Exception]:
    """One of each exception that websockets, anyio, trio and the system can raise at a connection."""
    special: dict[type[Exception], tuple[Any, ...]] = {
        ws.ConnectionClosed: (None, None),
        ws.ConnectionClosedOK: (Close(1000, ""), Close(1000, ""), True),
        ws.ConnectionClosedError: (None, Close(1011, "keepalive ping timeout")),
        ws.InvalidURI: ("uri", "bad"),
        ws.InvalidProxy: ("proxy", "bad"),
        ws.InvalidStatus: (Response(403, "", Headers()),),
        ws.InvalidProxyStatus: (Response(407, "", Headers()),),
        ws.InvalidHeaderFormat: ("name", "error", "header", 1),
        ws.PayloadTooBig: (2, 1),
        ws.InvalidParameterValue: ("name", "value"),
    }
    if hasattr(ws, "TooManyFragments"):  # since websockets 17
        special[ws.TooManyFragments] = (1,)
    classes: set[type[Exception]] = set()
    for module in (ws, anyio, trio, ssl, socket):
        for found in vars(module).values():
            if inspect.isclass(found) and issubclass(found, Exception) and not issubclass(found, Warning):
                classes.add(found)
    classes |= {OSError, *OSError.__subclasses__(), EOFError, TimeoutError, RuntimeError, ImportError, UnicodeError}
    errors: list[Exception] = []
    for found in sorted(classes, key=lambda one: one.__name__):
        arguments = special.get(found, ("x",))
        try:
            errors.append(found(*arguments))
        except TypeError:
            errors.append(found())
        except AttributeError:  # it is made of more than a message, and is none of a connection's
            continue
    errors += [ConnectionRefusedError(errno.ECONNREFUSED, "refused"), socket.gaierror(-2, "Name not known")]
    errors += [ExceptionGroup("several", [OSError(), ValueError()])]
    return errors


class Broken:
    """A websocket that raises `error` at `moment`, and greets like Flux before."""

    response = Response(101, "", Headers())

    def __init__(self, moment: str, error: Exception) -> None:
        self.moments = [moment]
        self.stream = self
        self.error = error
        self.greeted = False

    def fail_at(self, moment: str) -> None:
        if moment in self.moments:
            raise self.error

    async def __aenter__(self) -> Broken:
        self.fail_at("connecting")
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def recv(self, decode: bool) -> bytes:
        self.fail_at("reading" if self.greeted else "greeting")
        if self.greeted:
            await anyio.sleep_forever()
        self.greeted = True
        return b'{"type": "Connected"}'

    async def send(self, _: object) -> None:
        self.fail_at("sending")

    async def aclose(self) -> None:
        pass

    async def wait_closed(self) -> None:
        pass


@pytest.mark.parametrize("moment", ["connecting", "greeting", "reading", "sending"])
async def test_no_foreign_exception_gets_out(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raised by the socket at any moment, it comes out as a TurnkitError with itself as the cause."""

    async def use() -> None:
        async with connect(url="ws://127.0.0.1:9", close_timeout=0.001, reconnect_timeout=0) as stream:
            await anext(stream)
            if moment == "sending":
                await stream.send_audio(TWO_SECONDS)
            await anext(stream)

    errors = foreign_errors()
    names = {type(error).__name__ for error in errors}
    assert names > {"InvalidUpgrade", "BrokenResourceError", "TooSlowError", "SSLCertVerificationError", "gaierror"}
    for error in errors:
        broken = Broken(moment, error)
        monkeypatch.setattr(line, "websocket", lambda *_, broken=broken: broken)
        with pytest.raises(TurnkitError) as caught:
            await use()
        cause = caught.value.__cause__
        # trio makes groups anew on their way through a nursery.
        assert cause is error or (isinstance(error, ExceptionGroup) and str(cause) == str(error))
        assert str(caught.value)


async def test_leaving_is_bounded_by_close_timeout_also_if_nothing_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that stopped reading does not hold up the way out for send_timeout."""

    class Stuck(Broken):
        async def send(self, _: object) -> None:
            await anyio.sleep_forever()

    monkeypatch.setattr(line, "websocket", lambda *_: Stuck("never", OSError()))
    with anyio.fail_after(5):
        async with connect(url="ws://127.0.0.1:9", send_timeout=1000.0, close_timeout=0.01):
            pass


async def test_credentials_reach_no_message_no_repr_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Not even with every logger at debug level, nor if the server echoes what it was sent."""
    caplog.set_level(logging.DEBUG)
    body = json.dumps({"err_code": "INVALID_AUTH", "err_msg": f"the key {KEY} is unknown"}).encode()
    errors: list[FluxError] = []
    with capture_logs() as logged:
        async with opened(turn_then_close(START)) as (stream, _):
            await anext(stream)
            await anext(stream)
            await stream.send_audio(TWO_SECONDS)
            shown = repr(stream)
        async with flux_peer(refuse=(401, body, {"dg-error": KEY})) as peer:
            for credential in ({"api_key": KEY}, {"token": KEY}):
                with pytest.raises(FluxError) as refused:
                    async with connect(url=peer.url, **cast(Any, credential)):
                        pass
                errors.append(refused.value)
    assert [error.description for error in errors] == ["the key … is unknown"] * 2
    # The peer's own websockets logger hears the request; turnkit's must not.
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    everything_shown = [shown, *map(repr, errors), *map(str, errors), *map(repr, logged), *ours]
    assert logged
    assert not any(KEY in text or "hello" in text for text in everything_shown)
    assert all(entry["log_level"] == "debug" for entry in logged)


async def test_a_model_that_turnkit_does_not_know_is_told_once() -> None:
    """It passes, for Flux may know it, with one warning a connect."""
    with capture_logs() as logged:
        async with opened(polite, FluxOptions(model="flux-general-xx")) as (_, peer):
            pass
    warnings = [entry for entry in logged if entry["log_level"] == "warning"]
    assert warnings == [{"event": "flux_model_unknown", "model": "flux-general-xx", "log_level": "warning"}]
    assert "model=flux-general-xx" in peer.requests[0].path


async def test_debug_entries_stay_away_until_logging_is_configured(capsys: pytest.CaptureFixture[str]) -> None:
    """structlog prints everything by default, which a library must not do to its user; a warning may be said."""
    async with opened(polite):
        pass
    assert capsys.readouterr() == ("", "")
    async with opened(polite, FluxOptions(model="flux-general-xx")):
        pass
    out, err = capsys.readouterr()
    assert out == ""
    assert "flux_model_unknown" in err


LOADED = """
import anyio, sys
from turnkit.flux import connect
from turnkit.errors import ConnectionFailed

async def main():
    try:
        async with connect(url="ws://127.0.0.1:9", connect_timeout=5):
            pass
    except ConnectionFailed:
        print(*sorted(name for name in sys.modules if name in ("websockets.asyncio.client", "websockets.trio.client")))

anyio.run(main, backend={backend!r})
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_only_the_running_librarys_half_of_websockets_is_loaded(backend: str) -> None:
    """asyncio applications need no trio, and neither pays for the other."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(backend=backend)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout.split() == [f"websockets.{backend}.client"], done.stderr
