"""Play: a call in the browser, seen from the inside; `turnkit play` serves it. Needs `turnkit[web]`.

Whoever opens the page has a call of their own with a small bot. They type as they would speak, and the key strokes
become words with times in a simulated Flux, to which turnkit's own client is connected, so that all that is shown is
what a bot in production would see; or, with a key, they speak into the microphone, and Flux itself listens.

- `serving`: the page on uvicorn; `application`: the page as an ASGI application, and who may see it.
- `call`: one call over its websocket; `telling`: what the page is told of it; `asked`: what the page may ask.
- `typist`: key strokes as words with times; `bot`: who answers; `policies`: the barge-in policies there are to choose.
- `recordings`: the calls to be opened in the viewer.
"""
