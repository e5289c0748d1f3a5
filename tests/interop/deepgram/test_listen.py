"""A session on a connection of Deepgram's synchronous client, the real one, on the simulator: threads and real time."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.deepgram_clients import KEY, NOISE, sync_client
from turnkit import (
    Cancel,
    Commit,
    ConfigError,
    ConnectionFailed,
    FluxError,
    LocalProtocolError,
    RemoteProtocolError,
    ReplyEnded,
    Session,
    Speculate,
    TurnStarted,
)
from turnkit.session import Reply
from turnkit.simulator import Script, Simulator, say, serve

pytest.importorskip("deepgram", reason="Deepgram's SDK is tested in an environment of its own: .ci/interop")

pytestmark = [*map(pytest.mark.filterwarnings, NOISE)]

CALL = Script((say("Good morning. I'd like to know (0.9) when you open.", at=1.0),), seed=1)
FRAMES = 75  # of 80 ms, with some silence after the last word
UNTIL_THE_FAULT = 32  # of them, the last one being that in which the faults at 2.5 s come
RAW = {"model": "flux-general-en", "encoding": "linear16", "sample_rate": "16000"}
SECONDS = 60.0  # in which each of these ends


@contextmanager
def simulated(play: Script = CALL, **settings: Any) -> Iterator[Simulator]:
    """A simulator in a thread of its own."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(portal.call(partial(opening, play, **settings))) as flux,
    ):
        yield flux


async def opening(play: Script, **settings: Any) -> Any:
    """The simulator, to be entered in the loop's thread."""
    return serve(play, api_key=KEY, **settings)


def connected(flux: Simulator, key: str = KEY) -> Any:
    """A connection of the synchronous client."""
    return sync_client(flux, key).listen.v2.connect(**RAW, eager_eot_threshold="0.4")


def start_sending(connection: Any, frames: int = FRAMES, *, close: bool = True) -> threading.Thread:
    """The quick start's other thread; the simulator's clock is the audio, so no second has to pass.

    It stops where the connection has ended, be it by a handler's failure or the host: that is what these tests are
    about, and which of the two threads notices first is the machine's choice. Where it is a fault, and what was heard
    before it matters, nothing may be sent behind that: the SDK's connection closes its socket where it fails to send,
    and whatever nobody has read from it yet is gone.
    """
    from websockets.exceptions import ConnectionClosed

    def send() -> None:
        with suppress(ConnectionClosed):
            for _ in range(frames):
                connection.send_media(bytes(2560))
            if close:
                connection.send_close_stream()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def count_session() -> tuple[Session, list[object]]:
    """A session without replies, and what it says."""
    said: list[object] = []
    session = Session(lost_turn_grace=0.1)
    for kind in (TurnStarted, Speculate, Cancel, Commit):
        session.on(kind, said.append)
    return session, said


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_call_is_held_and_ends_when_the_connection_has_closed(backend: str) -> None:
    """All of the caller's turn: a draft withdrawn, and the answer made and heard before it returns."""
    from turnkit.interop.deepgram import listen

    async def respond(reply: Reply) -> None:
        await reply.say(f"You said: {reply.transcript}")

    async def speak(reply: Reply, chunks: Any, playback: Any) -> None:
        async for text in chunks:
            playback.started()
            playback.advance(text)

    session = Session(respond=respond, speak=speak)
    said: list[object] = []
    for kind in (Cancel, Commit, ReplyEnded):
        session.on(kind, said.append)
    with simulated() as flux, connected(flux) as connection:
        start_sending(connection)
        listen(session, connection, backend=backend)
        assert flux.connections[0].commands == ["CloseStream"]
    commits = [one.transcript for one in said if isinstance(one, Commit)]
    ends = [one.heard for one in said if isinstance(one, ReplyEnded) and one.outcome == "finished"]
    assert commits == ["Good morning. I'd like to know when you open."]
    assert ends == ["You said: Good morning. I'd like to know when you open."]
    assert any(isinstance(one, Cancel) for one in said)


def test_the_users_own_handlers_are_called_as_ever() -> None:
    """And see all five events."""
    from deepgram.core.events import EventType

    from turnkit.interop.deepgram import listen
    from turnkit.wire import TurnInfo, decode

    session, _ = count_session()
    seen: list[object] = []
    order: list[str] = []
    with simulated() as flux, connected(flux) as connection:
        connection.on(EventType.OPEN, lambda _: order.append("open"))
        connection.on(EventType.MESSAGE, seen.append)
        connection.on(EventType.CLOSE, lambda _: order.append("close"))
        start_sending(connection)
        listen(session, connection)
    messages = [decode(one) for one in seen]
    events = {one.event for one in messages if isinstance(one, TurnInfo)}
    assert events == {"StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "EndOfTurn"}
    assert order == ["open", "close"]


def test_a_connection_that_is_lost_is_raised_once_what_was_said_is_answered() -> None:
    """ConnectionFailed, of turnkit's own; no thread is left."""
    from turnkit.interop.deepgram import listen

    session, said = count_session()
    with simulated(faults=["drop@2.5s"]) as flux, connected(flux) as connection:
        start_sending(connection, UNTIL_THE_FAULT, close=False)
        with pytest.raises(ConnectionFailed, match="1006"):
            listen(session, connection)
    commits = [one.transcript for one in said if isinstance(one, Commit)]
    assert len(commits) == 1
    assert commits[0].startswith("Good morning")
    assert "turnkit-deepgram-listen" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_flux_is_raised() -> None:
    """With its code, although the connection was closed in an orderly way."""
    from turnkit.interop.deepgram import listen

    session, _ = count_session()
    with simulated(faults=["error_then_close@2.5s"]) as flux, connected(flux) as connection:
        start_sending(connection, UNTIL_THE_FAULT, close=False)
        with pytest.raises(FluxError, match="INTERNAL_SERVER_ERROR"):
            listen(session, connection)


def test_a_wrong_key_is_refused_before_there_is_a_connection() -> None:
    """By the SDK, in its own way: turnkit has no part in that yet."""
    with simulated() as flux:
        with pytest.raises(Exception, match="401"), connected(flux, "not-the-key-at-all"):
            pass
        assert flux.refusals[0].status == 401


def test_projects_and_a_temporary_token_are_had_from_the_simulator() -> None:
    """As the client asks for them; the token then opens a connection."""
    from deepgram import DeepgramClient

    with simulated() as flux:
        client = sync_client(flux)
        assert len(client.manage.v1.projects.list().projects) == 1
        granted = client.auth.v1.tokens.grant(ttl_seconds=20)
        assert granted.expires_in == 20
        guest = sync_client(flux, access_token=granted.access_token)
        assert isinstance(guest, DeepgramClient)
        with guest.listen.v2.connect(**RAW) as connection:
            connection.send_close_stream()
        with pytest.raises(Exception, match="401"):
            sync_client(flux, "not-the-key-at-all").auth.v1.tokens.grant()


@pytest.mark.parametrize("frame", ['{"type":"TurnInfo"', "<html>", ""])
def test_what_the_sdk_cannot_read_ends_the_call_cleanly(frame: str) -> None:
    """Its listening ends with it; no word of the message is in the error."""
    from turnkit.interop.deepgram import listen

    session, _ = count_session()
    with garbage(frame) as flux, connected(flux) as connection:
        with pytest.raises(RemoteProtocolError, match="could not read a message: JSONDecodeError") as raised:
            listen(session, connection, close_timeout=0.2)
        assert raised.value.__cause__ is None


@contextmanager
def garbage(frame: str) -> Iterator[Any]:
    """A host that says Connected, and then the frame."""
    from types import SimpleNamespace

    from websockets.sync.server import ServerConnection
    from websockets.sync.server import serve as serve_frames

    def talk(socket: ServerConnection) -> None:
        socket.send('{"type":"Connected","request_id":"r","sequence_id":0}')
        socket.send(frame)
        for _ in socket:
            pass

    with serve_frames(talk, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"ws://127.0.0.1:{server.socket.getsockname()[1]}")
        server.shutdown()


@pytest.mark.parametrize("event", ["OPEN", "MESSAGE", "CLOSE"])
def test_what_a_handler_raises_in_the_listening_thread_reaches_the_user(event: str) -> None:
    """Whichever handler it is: it ends the session, and comes out as it was raised."""
    from deepgram.core.events import EventType

    from turnkit.interop.deepgram import listen

    def fail(_: object) -> None:
        raise ZeroDivisionError("mine")

    session, _ = count_session()
    with simulated() as flux, connected(flux) as connection:
        connection.on(EventType[event], fail)
        start_sending(connection)
        with pytest.raises(ZeroDivisionError, match="mine"):
            listen(session, connection)


def test_what_the_session_raises_reaches_the_user_and_closes_the_connection() -> None:
    """Such as a session that has run before; the listening thread ends with it."""
    from turnkit.interop.deepgram import listen

    session, _ = count_session()
    with simulated() as flux:
        with connected(flux) as connection:
            start_sending(connection)
            listen(session, connection)
        with connected(flux) as connection:
            with pytest.raises(LocalProtocolError, match="runs once"):
                listen(session, connection)
            assert "turnkit-deepgram-listen" not in [thread.name for thread in threading.enumerate()]


def test_hanging_up_from_another_thread_ends_it() -> None:
    """And Flux is asked to close."""
    from turnkit.interop.deepgram import listen

    session, said = count_session()
    started = threading.Event()
    session.on(TurnStarted, lambda _: started.set())
    with simulated() as flux, connected(flux) as connection:

        def hang_up() -> None:
            started.wait(SECONDS)
            session.call_from_thread(session.hang_up)

        threading.Thread(target=hang_up, daemon=True).start()
        start_sending(connection, 30, close=False)
        listen(session, connection)
        assert "turnkit-deepgram-listen" not in [thread.name for thread in threading.enumerate()]
        assert flux.connections[0].commands == ["CloseStream"]
    assert said


def test_ctrl_c_ends_it() -> None:
    """KeyboardInterrupt comes out of `listen`; what the bot was saying has ended, and Flux is asked to close."""
    from turnkit.interop.deepgram import listen

    ends: list[ReplyEnded] = []

    async def respond(reply: Reply) -> None:
        await reply.say("For ever.")

    async def speak(reply: Reply, chunks: Any, playback: Any) -> None:
        import anyio

        playback.started()
        os.kill(os.getpid(), signal.SIGINT)
        await anyio.sleep_forever()

    session = Session(respond=respond, speak=speak)
    session.on(ReplyEnded, ends.append)
    with simulated() as flux, connected(flux) as connection:
        start_sending(connection, close=False)
        with pytest.raises(KeyboardInterrupt):
            listen(session, connection)
        assert "turnkit-deepgram-listen" not in [thread.name for thread in threading.enumerate()]
        assert flux.connections[0].commands == ["CloseStream"]


def test_a_stalled_turn_is_ended_through_the_connection() -> None:
    """No audio comes any more in mid-turn: the session has Flux end the turn, on the words there are."""
    from turnkit.interop.deepgram import listen

    session = Session(stall_timeout=0.2)
    commits: list[Commit] = []

    def committed(commit: Commit) -> None:
        commits.append(commit)
        session.hang_up()

    session.on(Commit, committed)
    with simulated() as flux, connected(flux) as connection:
        start_sending(connection, 25, close=False)
        listen(session, connection)
        assert flux.connections[0].commands == ["ForceEndTurn", "CloseStream"]
    assert commits[0].transcript


def test_a_host_that_does_not_close_is_not_waited_for() -> None:
    """Longer than `close_timeout`."""
    from turnkit.interop.deepgram import listen

    session, _ = count_session()
    session.on(TurnStarted, lambda _: session.hang_up())
    with simulated(faults=["deaf:600@2.0s"]) as flux:
        connection_context = connected(flux)
        connection = connection_context.__enter__()
        start_sending(connection, 24, close=False)
        listen(session, connection, close_timeout=0.2)
    # The simulator is gone by now, so that the SDK's own closing need not wait either.
    connection_context.__exit__(None, None, None)


def test_a_connection_that_was_listened_to_is_over() -> None:
    """Another session on it ends at once, and has heard nothing."""
    from turnkit.interop.deepgram import listen

    first, said = count_session()
    second, nothing = count_session()
    with simulated() as flux, connected(flux) as connection:
        start_sending(connection)
        listen(first, connection)
        listen(second, connection)
    assert said
    assert nothing == []


def test_a_bad_bound_is_refused() -> None:
    """Before anything is started."""
    from turnkit.interop.deepgram import listen

    nothing: Any = None
    with pytest.raises(ConfigError, match="close_timeout=0"):
        listen(Session(), nothing, close_timeout=0)
