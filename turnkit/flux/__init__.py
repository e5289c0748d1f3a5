"""The connection to Flux: one WebSocket to `/v2/listen`, on asyncio and trio alike.

    async with connect(FluxOptions(eager_eot_threshold=0.5), api_key=key) as stream:
        async for message in stream:
            ...

No queue and no task of turnkit's stands between the socket and the consumer: whoever iterates reads the socket, one
task at a time. What follows from it: the answers that `configure` and `force_end_turn` wait for are found by the
iteration, so somebody else must be iterating meanwhile. Waiting for them in the iterating task itself ends in a
timeout; `send_force_end_turn` does not wait.

A connection that is lost is made again by whoever iterates, too: the iteration says StreamLost, and when it is asked
for more, StreamRestored (see `FluxStream`). Beside it there is one timer for the watchdogs, from the first audio on,
and a task only while silence is sent or old audio again; on trio, which has no timers, each of them is a task.

Every wait is bounded, and nothing that websockets, anyio, trio or the system raises gets out unmapped
(`failures.translate`).
"""

from .opening import connect
from .protocol import StreamItem
from .stream import FluxStream

__all__ = ["FluxStream", "StreamItem", "connect"]
