"""A server of voice calls: phones and pages over websockets, with admission, probes, and an orderly end.

    # mybot.py
    def session(call):
        return Session(respond=respond, speak=call.speaker(tts), record="calls/")

    app = application(session, api_key=KEY, greeting="Hello. How can I help you?")

`uvicorn mybot:app` serves it, as does any other ASGI server; `turnkit serve mybot:session` does so without the last
line. Needs `turnkit[web]`.

- `asgi`: the ASGI application.
- `admission`: whether there is room for another call; `calls`: those going on, and how they end when the server does.
- `captions`: what is said, told to the page that asks for it.
- `signals`: what SIGTERM does; `serving`: the application on uvicorn, in as many processes as wanted.
"""

try:
    import starlette  # noqa: F401  # here, so that its absence is told in one line
    import uvicorn  # noqa: F401
except ImportError as missing:
    raise ImportError("turnkit.interop.web needs Starlette and uvicorn: pip install 'turnkit[web]'") from missing

from .asgi import application

__all__ = ["application"]
