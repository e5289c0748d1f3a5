"""The connection to Flux: one WebSocket to `/v2/listen`, on asyncio and trio alike.

    async with connect(FluxOptions(eager_eot_threshold=0.5), api_key=key) as stream:
        async for message in stream:
            ...

What to send, what of it Flux has covered, when a connection is given up and when to try again is decided without I/O,
in `protocol`, by the rules at its top. `stream` owns the socket, the clock and the waiting.

No queue and no task of turnkit's stands between the socket and the consumer: whoever iterates reads the socket, one
task at a time; on asyncio, `FluxStream.read_into` gives messages in the socket's own callback. What follows from it:
the answers that `configure` and `force_end_turn` wait for are found by the iteration, so somebody else must be
iterating meanwhile. Waiting for them in the iterating task itself ends in a timeout; `send_force_end_turn` does not
wait.

A connection that is lost is made again by whoever iterates, too: the iteration says StreamLost, and when it is asked
for more, StreamRestored (see `FluxStream`). Beside it there is one timer, for all that has its time, and a task only
while silence, old audio or a command is sent on nobody's behalf; on trio, which has no timers, the timer is a task.

The frames are carried by websockets or, on asyncio, by picows (`transports`, `picows_socket`); all else is the same.

Every wait is bounded, and nothing that websockets, anyio, trio or the system raises gets out unmapped
(`failures.translate`).
"""

from .opening import connect
from .protocol import StreamItem
from .stream import FluxStream

__all__ = ["FluxStream", "StreamItem", "connect"]
