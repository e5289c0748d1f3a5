"""The ASGI application: the page and its files, the websockets of its calls, the viewer; and who may see them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import anyio
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ...errors import ConfigError, RemoteProtocolError, TurnkitError, sole_error
from ...interop import browser
from ...logs import logger
from ...simulator import serve
from ...simulator.ear import Ear
from .asked import Settings, settings_of
from .call import hold_microphone, hold_typing
from .policies import POLICIES
from .recordings import Recordings
from .speech import Speech

_HERE = Path(__file__).parent
_UNREADABLE, _BUSY, _FORBIDDEN = 1007, 1013, 1008  # close codes
_TYPES = {"page.html": "text/html", "play.css": "text/css", "play.js": "text/javascript", "scope.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def application(
    *,
    flux: Mapping[str, Any] | None = None,
    ear: Ear | None = None,
    speech: Speech | None = None,
    hosts: Collection[str] = (),
    max_calls: int = 20,
    record: str | None = None,
) -> Starlette:
    """The page on which a newcomer talks to a bot, and sees what turnkit makes of it.

    Only pages of this server may open a call, and only under a name that is this machine's for certain: `localhost`, a
    number, or one of `hosts`. Any other may have been made to lead here by somebody else.

    Args:
        flux: what `turnkit.connect` takes for calls with the microphone, such as `api_key`. Default None: there are
            none, only typed ones.
        ear: listens to the microphone in the place of Flux, on this machine. Default None.
        speech: how the bot of the microphone speaks, and who it is. Default None: the small bot, in writing.
        hosts: further names of this server. Default none.
        max_calls: at most so many calls at once. Default 20.
        record: the directory in which every call is recorded. Default None: recordings end with the server.

    Returns:
        The application, which must be run with its lifespan, as all servers do.
    """
    play = _Play(flux, ear, speech, max_calls, record)
    app = Starlette(
        routes=[
            *(Route("/" if name == "page.html" else f"/{name}", play.file) for name in _TYPES),
            Route("/turnkit.js", play.script),
            Route("/settings", play.settings),
            Route("/calls/{name}", play.view),
            WebSocketRoute("/typing", play.typing),
            WebSocketRoute("/microphone", play.microphone),
        ],
        lifespan=play.lifespan,
    )
    app.add_middleware(_OwnPagesOnly, hosts=frozenset(name.lower() for name in hosts))
    return app


class _Play:
    """What is behind the addresses."""

    def __init__(
        self,
        flux: Mapping[str, Any] | None,
        ear: Ear | None,
        speech: Speech | None,
        max_calls: int,
        record: str | None,
    ) -> None:
        self._flux = flux
        self._ear = ear
        self._speech = speech
        self._max_calls = max_calls
        self._record = record
        self._going: set[anyio.CancelScope] = set()
        self._recordings: Recordings | None = None

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """While the server runs there is a place for recordings; with it they are gone, unless they are to be kept."""
        async with AsyncExitStack() as stack:
            folder = self._record or stack.enter_context(TemporaryDirectory(prefix="turnkit-play-"))
            self._recordings = Recordings(Path(folder), kept=self._record is not None)
            if self._ear is not None:
                self._flux = {"url": (await stack.enter_async_context(serve(self._ear))).url}
            yield
            for scope in self._going:
                scope.cancel()

    async def file(self, request: Request) -> Response:
        """One of the page's own files."""
        name = request.url.path.rpartition("/")[2] or "page.html"
        return Response((_HERE / name).read_bytes(), media_type=_TYPES[name], headers=_HEADERS)

    async def script(self, request: Request) -> Response:
        """Microphone and loudspeaker."""
        return Response(browser.script(), media_type="text/javascript", headers=_HEADERS)

    async def settings(self, request: Request) -> Response:
        """What the page has to choose from; no secret is among it."""
        policies = [{"name": name, "what": what} for name, (_, what) in POLICIES.items()]
        told: dict[str, Any] = {"microphone": self._flux is not None, "ear": self._ear is not None}
        told |= {"aloud": self._speech is not None, "policies": policies, **msgspec.structs.asdict(Settings())}
        return JSONResponse(told, headers=_HEADERS)

    async def view(self, request: Request) -> Response:
        """A call in the viewer, as far as it has come."""
        assert self._recordings is not None
        try:
            text = self._recordings.view(request.path_params["name"])
        except (KeyError, ConfigError):
            return PlainTextResponse("There is no such call, or none any more.\n", 404, _HEADERS)
        return Response(
            text, media_type="text/html", headers={"Cache-Control": "no-store"}
        )  # it has a policy of its own

    async def typing(self, websocket: WebSocket) -> None:
        """A call of somebody who types."""
        await self._hold(websocket, hold_typing, {})

    async def microphone(self, websocket: WebSocket) -> None:
        """A call with the microphone, if there is a key."""
        if self._flux is None:
            await websocket.close(_FORBIDDEN)
            return
        await self._hold(websocket, hold_microphone, {"speech": self._speech, **self._flux})

    async def _hold(self, websocket: WebSocket, hold: Any, more: Mapping[str, Any]) -> None:
        await websocket.accept()
        if len(self._going) >= self._max_calls:
            await websocket.close(_BUSY)
            return
        assert self._recordings is not None
        scope = anyio.CancelScope()
        self._going.add(scope)
        try:
            with scope:
                await hold(websocket, settings_of(websocket.query_params), self._recordings, **more)
        except (RemoteProtocolError, ConfigError) as error:
            logger().warning("call_refused", problem=str(error))
            await websocket.close(_UNREADABLE)
        except Exception as raised:
            cause = sole_error(raised)
            known = isinstance(cause, TurnkitError)  # which says nothing of what was said
            told = {"problem" if known else "personal_message": str(cause)}
            logger().error("call_failed", error=type(cause).__name__, **told)
        finally:
            self._going.discard(scope)


class _OwnPagesOnly:
    """Refuses who comes under a name that may be anybody's, and websockets from other pages than the server's own."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get(b"host", ""), headers.get(b"origin")
        own_page = scope["type"] == "http" or origin is None or urlsplit(origin).netloc == host
        if self._is_own(host) and own_page:
            await self._app(scope, receive, send)
            return
        logger().warning("foreign_page_refused", host=host, origin=origin)
        if scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(_FORBIDDEN)  # not accepted yet: HTTP 403
        else:
            refusal = "This page is seen under the address that turnkit play has said, and no other.\n"
            await PlainTextResponse(refusal, 403)(scope, receive, send)

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            if name == "localhost" or name in self._hosts:
                return True
            ip_address(name)
        except ValueError:
            return False
        return True
