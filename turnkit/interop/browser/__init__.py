"""A page as the telephone: microphone and loudspeaker of a browser over one websocket, without a build step.

    @app.get("/turnkit.js")
    async def script() -> Response:
        return Response(browser.script(), media_type="text/javascript")

    @app.websocket("/call")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await browser.hold_call(websocket, make_session, sample_rate=24000, api_key=key)

The page takes the script as a module, and begins a call in a click:

    import { TurnkitCall } from "/turnkit.js";
    const call = new TurnkitCall("/call");
    button.onclick = () => call.start();

- `hold_call`: holds one call over a websocket of any framework; `Call`: what its session is made with.
- `script`: the text of `turnkit.js`, for your own server to serve.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from .calling import Call, hold_call

__all__ = ["Call", "hold_call", "script"]


@cache
def script() -> str:
    """The text of turnkit.js, an ES module: serve it as it is, as `text/javascript`, where the page is served."""
    return Path(__file__).with_name("turnkit.js").read_text(encoding="utf-8")
