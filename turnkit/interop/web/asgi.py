"""The ASGI application: the websockets of phones and pages, what Twilio asks when it rings, probes, and a page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

import anyio
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from ...checks import check_seconds
from ...errors import ConfigError
from ...flux import connect as connect_flux
from ...logs import logger
from ...session import Session
from ...wire import FluxOptions
from .. import browser, plivo, telnyx, twilio
from ..telephone import Connect, Greeting
from .admission import Admission, Refusal
from .calls import Calls, MakeSession
from .captions import Captions
from .signals import draining_first

__all__ = ["application"]

DRAIN_SECONDS = 30.0
"""How long calls may go on once the server is to end, where nobody says otherwise."""

_BUSY, _FORBIDDEN = 1013, 1008  # close codes
_RETRY_SECONDS = "5"
_LARGEST_FORM = 1 << 16  # bytes: Twilio's have one or two thousand
_SERVICES = {"twilio": twilio.hold_call, "telnyx": telnyx.hold_call, "plivo": plivo.hold_call}


def application(
    make_session: MakeSession,
    *,
    max_calls: int = 100,
    max_lag: float = 0.2,
    drain: float = DRAIN_SECONDS,
    greeting: Greeting | None = None,
    options: FluxOptions | None = None,
    sample_rate: int = 16000,
    public_url: str | None = None,
    auth_token: str | None = None,
    origins: Collection[str] = (),
    page: bool = True,
    busy_text: str = "All lines are busy. Please call again later.",
    connect: Connect = connect_flux,
    **flux: Any,
) -> Starlette:
    """An ASGI application that holds calls, each with a session of its own; bounds are those of one process.

    - `/twilio`, `/telnyx`, `/plivo`: the websockets of phone calls; `/answer`: the TwiML that connects to the first.
    - `/call`: the websocket of pages, `/turnkit.js`: their script, `/`: a page to talk to the bot.
    - `/health`: 200 while the process lives; `/ready`: 200 while there is room for another call, else 503. Both say why
      in JSON.

    Who comes when there is no room is told so at once: HTTP 503 before the handshake of a phone's websocket, 1013 to a
    page, a sentence to who rings by `/answer`. At SIGTERM nobody is let in, and the calls that go on end in `drain`
    seconds; what they have recorded is whole. The server must run the lifespan of its applications, as all do.

    Args:
        make_session: makes the session of a call from it, sync or async: a `telephone.Call` or a `browser.Call`.
        max_calls: at most so many calls at once. Default 100.
        max_lag: seconds that the event loop may be late for another call to be let in. Default 0.2.
        drain: seconds that calls may go on after SIGTERM; then they are hung up on. Default 30.
        greeting: what the bot says first on the phone, as in `telephone.hold`. Default None: the caller speaks first.
        options: those of Flux, save the audio. Default `FluxOptions()`.
        sample_rate: of the linear16 that the bot's voice gives to pages. Default 16000.
        public_url: where the world sees this server, `https://bot.example.com`. Default None: as each request says.
        auth_token: of your Twilio account; `/answer` and `/twilio` are then for Twilio only. Default None: for all.
        origins: where pages that may call come from, `https://www.example.com`. Default: from this server only.
        page: whether there is one at `/`. Default True.
        busy_text: what who rings by `/answer` is told when there is no room; "" is the busy tone. Default a sentence.
        connect: opens the connection to Flux. Default `turnkit.connect`.
        flux: what else `connect` takes, such as `api_key`.

    Returns:
        The application, to be served or mounted; its `state.admission` has the figures.

    Raises:
        ConfigError: for settings that cannot work.
    """
    if not callable(make_session):
        raise ConfigError(f"make_session={make_session!r}: must be a function that makes the Session of a call")
    check_seconds("drain", drain)
    admission = Admission(max_calls, max_lag)
    calls = Calls(admission, drain)
    shared = {"options": options, "connect": connect, **flux}
    door = _Door(admission, public_url, auth_token, frozenset(origins), busy_text)
    phones: list[BaseRoute] = [
        WebSocketRoute(
            f"/{name}",
            partial(_phone, name, door, calls, make_session, {"greeting": greeting, **shared}),
        )
        for name in _SERVICES
    ]
    routes = [
        Route("/health", door.health),
        Route("/ready", door.ready),
        Route("/answer", door.answer, methods=["GET", "POST"]),
        *phones,
        WebSocketRoute("/call", partial(_page, door, calls, make_session, {"sample_rate": sample_rate, **shared})),
        Route("/turnkit.js", _script),
    ]
    if page:
        routes.append(Route("/", _talk))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with draining_first(calls.drain) as tasks:
            tasks.start_soon(admission.lateness.measure)
            yield
            await calls.drain()  # of a server that has said so by no signal

    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.admission = admission
    app.state.calls = calls
    return app


class _Door:
    """Who is let in, who is sent away and how; and what is said of it to probes."""

    def __init__(
        self,
        admission: Admission,
        public_url: str | None,
        auth_token: str | None,
        origins: frozenset[str],
        busy_text: str,
    ) -> None:
        if public_url is not None and (urlsplit(public_url).scheme != "https" or not urlsplit(public_url).netloc):
            raise ConfigError(f"public_url={public_url!r}: must be https://host, as the world sees this server")
        self.admission = admission
        self._public = public_url.rstrip("/") if public_url else None
        self._auth_token = auth_token
        self._origins = origins
        self._busy_text = busy_text

    async def health(self, request: Request) -> Response:
        """The process lives."""
        return JSONResponse({"status": "draining" if self.admission.draining else "ok", **self._figures()})

    async def ready(self, request: Request) -> Response:
        """There is room, or why not."""
        reason = self.admission.refusal(anyio.current_time())
        told = {"ready": reason is None, "reason": reason, **self._figures()}
        return JSONResponse(told, 200 if reason is None else 503)

    async def answer(self, request: Request) -> Response:
        """What Twilio is to do with a call that rings."""
        if not await self.is_signed(request):
            return Response("This is for Twilio only.\n", 403)
        reason = self.admission.ask(anyio.current_time())
        if reason is not None:
            logger().warning("call_refused", kind="answer", reason=str(reason))
            say = f"<Say>{escape(self._busy_text)}</Say><Hangup/>" if self._busy_text else '<Reject reason="busy"/>'
            xml = f'<?xml version="1.0" encoding="UTF-8"?><Response>{say}</Response>'
        else:
            xml = twilio.twiml(f"wss://{self._host(request)}{request.scope.get('root_path', '')}/twilio")
        return Response(xml, media_type="text/xml")

    async def lets_in(self, websocket: WebSocket, kind: str) -> bool:
        """Whether there is room for a call; who finds none is told, with nothing accepted but to tell a page so."""
        reason = self.admission.ask(anyio.current_time())
        if reason is None:
            return True
        logger().warning("call_refused", kind=kind, reason=str(reason))
        if kind == "page":
            await websocket.accept()  # a page is told nothing of a handshake that fails
            await websocket.close(_BUSY, str(reason))
        else:
            await self._deny(websocket, 503, reason)
        return False

    async def knows(self, websocket: WebSocket, kind: str) -> bool:
        """Whether the peer may call at all."""
        if kind == "twilio" and not await self.is_signed(websocket):
            await self._deny(websocket, 403, "not signed by Twilio")
            return False
        origin = websocket.headers.get("origin")
        if kind != "page" or origin is None or origin in self._origins:
            return True
        if urlsplit(origin).netloc in (websocket.headers.get("host"), self._host(websocket)):
            return True
        logger().warning("page_of_another_origin", origin=origin)
        await self._deny(websocket, 403, "a page of another origin")
        return False

    async def is_signed(self, connection: HTTPConnection) -> bool:
        """Whether it comes from Twilio, if that is to be checked."""
        if self._auth_token is None:
            return True
        form: dict[str, str] = {}
        scheme = "https"
        if isinstance(connection, Request):
            body = bytearray()
            async for piece in connection.stream():
                body += piece
                if len(body) > _LARGEST_FORM:
                    return False
            form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        else:
            scheme = "wss"
        url = f"{scheme}://{self._host(connection)}{connection.url.path}"
        url += f"?{connection.url.query}" if connection.url.query else ""
        return twilio.is_from_twilio(self._auth_token, connection.headers.get("x-twilio-signature"), url, form)

    def _figures(self) -> Mapping[str, object]:
        return {
            "pid": os.getpid(),
            "calls": self.admission.calls,
            "max_calls": self.admission.max_calls,
            "lag": round(self.admission.lateness.seconds(anyio.current_time()), 3),
            "refused": self.admission.refused,
        }

    def _host(self, connection: HTTPConnection) -> str:
        return urlsplit(self._public).netloc if self._public else connection.headers.get("host", "localhost")

    @staticmethod
    async def _deny(websocket: WebSocket, status: int, reason: Refusal | str) -> None:
        if "websocket.http.response" not in websocket.scope.get("extensions", {}):
            await websocket.close(_BUSY if status == 503 else _FORBIDDEN)  # before it is accepted: HTTP 403
            return
        headers = {"Retry-After": _RETRY_SECONDS} if status == 503 else None
        await websocket.send_denial_response(JSONResponse({"refused": reason}, status, headers))


async def _phone(
    name: str, door: _Door, calls: Calls, make_session: MakeSession, settings: Mapping[str, Any], websocket: WebSocket
) -> None:
    if await door.knows(websocket, name) and await door.lets_in(websocket, name):
        await calls.hold(name, lambda make: _accepted(websocket, _SERVICES[name], make, settings), make_session)


async def _page(
    door: _Door, calls: Calls, make_session: MakeSession, settings: Mapping[str, Any], websocket: WebSocket
) -> None:
    if await door.knows(websocket, "page") and await door.lets_in(websocket, "page"):
        with_captions = websocket.query_params.get("captions") == "1"

        def hold_call(make: Any) -> Any:
            make = partial(_captioned, make) if with_captions else make
            return _accepted(websocket, browser.hold_call, make, settings)

        await calls.hold("page", hold_call, make_session)


async def _accepted(websocket: WebSocket, hold_call: Any, make: Any, settings: Mapping[str, Any]) -> None:
    """Accept in the step after the call was counted: who comes meanwhile counts on."""
    await websocket.accept()
    await hold_call(websocket, make, **settings)


async def _captioned(make_session: Any, call: browser.Call) -> Any:
    """The session, which tells the page what is said."""
    session = await make_session(call)
    if isinstance(session, Session):  # else the call itself says what is wrong
        Captions(call, session)
    return session


async def _script(request: Request) -> Response:
    return Response(browser.script(), media_type="text/javascript")


async def _talk(request: Request) -> Response:
    return HTMLResponse(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
