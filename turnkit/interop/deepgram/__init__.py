"""turnkit over the connections of Deepgram's own Python SDK, 6 and 7.

    from turnkit.interop.deepgram import flux, listen

    async with flux(AsyncDeepgramClient(), FluxOptions(eager_eot_threshold=0.5)) as stream:  # a FluxStream
        await session.run(stream)

    with DeepgramClient().listen.v2.connect(model="flux-general-en", ...) as connection:
        listen(session, connection)  # in place of connection.start_listening()

The client, its key, its environment and its transport are the SDK's; the rest is turnkit's. Needs `turnkit[deepgram]`.
"""

try:
    import deepgram  # noqa: F401  # here, so that its absence is told in one line
except ImportError as missing:
    raise ImportError("turnkit.interop.deepgram needs Deepgram's SDK: pip install 'turnkit[deepgram]'") from missing

from .connection import flux
from .listening import listen

__all__ = ["flux", "listen"]
