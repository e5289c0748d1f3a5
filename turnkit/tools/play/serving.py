"""The page on uvicorn, as `turnkit play` runs it."""

from __future__ import annotations

import socket
from typing import Any

try:
    import uvicorn

    from ...interop.web.serving import run_alone
    from .application import application
except ImportError as missing:
    raise ImportError("turnkit play needs Starlette and uvicorn: pip install 'turnkit[web]'") from missing

_SHUTDOWN = 2  # seconds that pages have to go, once it is to end


def serve(listening: socket.socket, **settings: Any) -> None:
    """Serve the page until SIGTERM or Ctrl-C.

    Args:
        listening: a socket that listens.
        settings: those of `application`.

    Raises:
        KeyboardInterrupt: it was Ctrl-C.
    """
    config = uvicorn.Config(
        application(**settings),
        log_level="warning",
        access_log=False,
        ws_per_message_deflate=False,
        ws_max_size=1 << 17,
        timeout_graceful_shutdown=_SHUTDOWN,
    )
    run_alone(config, listening)
