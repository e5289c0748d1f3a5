"""A connection that is lost and had back: what the iteration yields, what is sent again, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, cast

import anyio
import anyio.abc
import pytest
from structlog.testing import capture_logs

from tests.support.flux_peer import (
    KEY,
    START,
    Link,
    Refusal,
    everything,
    flux_peer,
    in_turn,
    opened,
    polite,
    read_by_another,
    settle,
    tcp_peer,
    turn_then_close,
    until,
)
from turnkit.errors import ConfigError, ConnectionFailed, FluxError, RemoteProtocolError
from turnkit.flux import FluxStream, StreamItem, connect
from turnkit.flux.bounds import Bounds
from turnkit.flux.reconnecting import Retries, is_permanent
from turnkit.turns.events import StreamLost, StreamRestored
from turnkit.wire import Configure, Connected, FluxOptions, Thresholds, TurnInfo

pytestmark = pytest.mark.anyio

CONTAINER = FluxOptions(encoding=None, sample_rate=None)
DOWN: Refusal = (503, b"", {})
FRAME = 2560  # bytes of 80 ms at 16 kHz linear16
RATE = 32000


def spoken(seconds: float, seed: int = 0) -> bytes:
    """Audio of which no two stretches are alike."""
    return Random(seed).randbytes(round(seconds * RATE))


async def hanging_up_at_once(link: Link) -> None:
    await link.connected()
    await link.drop()


async def take(stream: FluxStream, count: int) -> list[StreamItem]:
    return [await anext(stream) for _ in range(count)]


def kinds(items: list[StreamItem]) -> list[str]:
    return [type(item).__name__ for item in items]


# What is a loss, and what is not ----------------------------------------------------------------------------------


async def erroneous(link: Link) -> None:
    await link.say("Error", code="INTERNAL_SERVER_ERROR", description="no engine")
    await link.close(None)


async def oversized(link: Link) -> None:
    await link.send("x" * (2**20 + 1))
    await link.gone()


FAULTS: dict[str, tuple[Callable[[Link], Awaitable[None]], str]] = {
    "a drop": (lambda link: link.drop(), "code 1006"),
    "1005": (lambda link: link.close(None), "code 1005"),
    "1000": (lambda link: link.close(1000), "code 1000"),
    "1001": (lambda link: link.close(1001, "going away"), "code 1001, 'going away'"),
    "1008": (lambda link: link.close(1008, "DATA-0000"), "code 1008, 'DATA-0000'"),
    "1011": (lambda link: link.close(1011, "NET-0001"), "code 1011, 'NET-0001'"),
    "an Error": (erroneous, "INTERNAL_SERVER_ERROR: no engine"),
    "a frame beyond all bounds": (oversized, "no message of Flux: 1009"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_loss_is_told_and_mended(fault: str) -> None:
    """The iteration yields StreamLost with the reason, StreamRestored, and then the new connection's messages."""
    fail, said = FAULTS[fault]

    async def first(link: Link) -> None:
        await link.connected()
        await link.turn("Update", "before")
        await fail(link)

    async def second(link: Link) -> None:
        link.request_id = "req-2"
        await link.connected()
        await link.turn("Update", "after")
        await link.hang_up()

    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, peer):
        before = await take(stream, 2)
        lost = await anext(stream)
        assert isinstance(lost, StreamLost)
        assert said in lost.reason
        assert repr(stream).startswith("<FluxStream lost ")
        after = await take(stream, 3)
        assert repr(stream).startswith("<FluxStream open ")
        assert stream.request_id == "req-2"
        assert kinds(before) + kinds(after) == ["Connected", "TurnInfo", "StreamRestored", "Connected", "TurnInfo"]
        assert after[0] == StreamRestored("connected again (1 attempt)")
        assert stream.missed_messages == 0
    assert len(peer.requests) == 2
    assert peer.requests[0].path == peer.requests[1].path
    assert peer.requests[1].headers["Authorization"] == f"Token {KEY}"


async def test_a_command_that_flux_cannot_read_is_raised() -> None:
    """It would be sent again, and refused again."""

    async def fail(link: Link) -> None:
        await link.connected()
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(fail, reconnect_timeout=5) as (stream, peer):
        await anext(stream)
        with pytest.raises(FluxError, match="UNPARSABLE"):
            await anext(stream)
        assert await everything(stream) == []
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403])
async def test_a_refusal_that_will_not_change_is_not_tried_again(status: int) -> None:
    """It is raised as Flux's own, at the first attempt, and then the stream is over."""
    async with (
        flux_peer(hanging_up_at_once, refuse=lambda n: (status, b"", {"dg-error": "no"}) if n else None) as peer,
        connect(api_key=KEY, url=peer.url) as stream,
    ):
        assert kinds(await take(stream, 2)) == ["Connected", "StreamLost"]
        with pytest.raises(FluxError) as refused:
            await anext(stream)
        assert refused.value.status == status
        assert await everything(stream) == []
        with pytest.raises(ConnectionFailed, match="has ended"):
            await stream.send_audio(bytes(FRAME))
    assert len(peer.requests) == 2


async def test_the_first_connection_is_not_tried_again() -> None:
    """Whoever opens a stream learns at once that the host is down."""
    async with flux_peer(refuse=DOWN) as peer:
        with pytest.raises(ConnectionFailed):
            async with connect(url=peer.url):
                pass
    assert len(peer.requests) == 1


@pytest.mark.parametrize("status", [200, 404, 408, 429, 500, 502, 503, 504])
async def test_a_refusal_that_may_change_is_tried_again(status: int) -> None:
    """A gateway between us and Flux says many things while Flux is replaced."""
    async with (
        flux_peer(in_turn(hanging_up_at_once, polite), refuse=lambda n: (status, b"", {}) if 0 < n < 3 else None) as p,
        connect(url=p.url) as stream,
    ):
        items = await take(stream, 4)
    assert kinds(items) == ["Connected", "StreamLost", "StreamRestored", "Connected"]
    assert cast(StreamRestored, items[2]).reason == "connected again (3 attempts)"


# When -------------------------------------------------------------------------------------------------------------


async def test_the_pauses_grow_and_are_random_by_half() -> None:
    """At once, then a random half to the whole of 0.5, 1, 2, 4, 8, 8 ... s, from the moment the attempt failed."""
    times: list[float] = []

    def refuse(number: int) -> Any:
        times.append(anyio.current_time())
        return DOWN if number else None

    async with (
        flux_peer(hanging_up_at_once, refuse=refuse) as peer,
        connect(url=peer.url, reconnect_timeout=30, _random=Random(7)) as stream,
    ):
        await take(stream, 2)
        lost = anyio.current_time()
        with pytest.raises(ConnectionFailed):
            await anext(stream)
        gave_up = anyio.current_time() - lost
    dice = Random(7)
    pauses = [0.0] + [min(8.0, 0.5 * 2**n) * dice.uniform(0.5, 1.0) for n in range(20)]
    expected = [sum(pauses[: n + 1]) for n in range(len(pauses)) if sum(pauses[: n + 1]) < 30]
    assert [at - lost for at in times[1:]] == pytest.approx(expected, abs=0.01)
    assert gave_up == pytest.approx(expected[-1], abs=0.01)  # the next one would be too late: why wait for it


async def test_giving_up_carries_every_attempt() -> None:
    """ConnectionFailed says how long it tried and what came last; its attempts begin with the loss itself."""

    async def second(link: Link) -> None:
        await link.close(1011, "warming up")

    def refuse(number: int) -> Any:
        return (429, b"", {}) if number == 1 else DOWN if number > 2 else None

    async with (
        flux_peer(in_turn(hanging_up_at_once, second), refuse=refuse) as peer,
        connect(url=peer.url, reconnect_timeout=3) as stream,
    ):
        await take(stream, 2)
        with pytest.raises(ConnectionFailed, match=r"within 3 s \(reconnect_timeout, \d attempts\).*HTTP 503") as gone:
            await anext(stream)
        assert await everything(stream) == []
        assert stream.lost_audio_seconds == 0
    attempts = gone.value.attempts
    assert [type(attempt) for attempt in attempts[:3]] == [ConnectionFailed, FluxError, ConnectionFailed]
    assert "1006" in str(attempts[0])
    assert "warming up" in str(attempts[2])
    assert len(attempts) == len(peer.requests) == int(str(gone.value).split(", ")[1].split()[0]) + 1


async def test_an_attempt_that_hangs_is_cut_off_in_time() -> None:
    """The bound holds also where connect_timeout is longer."""

    async def silent(link: Link) -> None:
        await link.gone()

    async with opened(in_turn(hanging_up_at_once, silent), reconnect_timeout=3, connect_timeout=1000) as (stream, _):
        await take(stream, 2)
        began = anyio.current_time()
        with pytest.raises(ConnectionFailed, match=r"reconnect_timeout, 1 attempts.*before reconnect_timeout was over"):
            await anext(stream)
        assert anyio.current_time() - began == pytest.approx(3, abs=0.01)


async def test_a_server_that_hangs_up_at_once_each_time_is_not_stormed() -> None:
    """Connections that do not hold are one outage: the pauses grow, and in the end it is given up."""
    async with opened(hanging_up_at_once, reconnect_timeout=30, _random=Random(1)) as (stream, peer):
        seen: list[str] = []

        async def iterate() -> None:
            async for item in stream:
                seen.append(type(item).__name__)  # noqa: PERF401 - it is looked at after the error

        with pytest.raises(ConnectionFailed) as gone:
            await iterate()
    assert 5 < len(peer.requests) < 12
    assert seen[:3] == ["Connected", "StreamLost", "StreamRestored"]
    assert seen == (seen[:3] * len(seen))[: len(seen)]
    assert len(gone.value.attempts) == len(peer.requests)


async def test_a_connection_that_has_held_is_a_new_outage_when_it_is_lost() -> None:
    """A night may have any number of outages: after each one the first attempt comes at once."""

    async def for_a_while(link: Link) -> None:
        await link.connected()
        await anyio.sleep(8)
        await link.drop()

    async with opened(for_a_while, reconnect_timeout=1, backoff_max=8) as (stream, _):
        for _ in range(50):
            assert kinds(await take(stream, 2)) == ["Connected", "StreamLost"]
            lost = anyio.current_time()
            assert await anext(stream) == StreamRestored("connected again (1 attempt)")
            assert anyio.current_time() - lost < 0.01


def test_pauses_stay_bounded_for_ever() -> None:
    """Ten thousand attempts overflow nothing."""
    retries = Retries(Bounds(reconnect_timeout=1e9), Random(0))
    retries.lost(ConnectionFailed("x"), 0.0)
    for _ in range(10_000):
        retries.failed(ConnectionFailed("x"), 5.0)
        assert 0.25 <= retries.next_at - 5.0 <= 8.0


def test_permanent_is_what_only_a_person_can_mend() -> None:
    """Credential, parameters, credit, access, and a command that the host does not know."""
    assert all(is_permanent(FluxError(status=status)) for status in (400, 401, 402, 403))
    assert is_permanent(FluxError("UNPARSABLE_CLIENT_MESSAGE"))
    assert is_permanent(ConfigError("token"))
    assert not any(map(is_permanent, (FluxError("INTERNAL_SERVER_ERROR"), FluxError(status=429))))
    assert not any(map(is_permanent, (ConnectionFailed("x"), RemoteProtocolError("x"))))


# Tokens -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_fresh_token_is_got_for_each_connection(asynchronous: bool) -> None:
    """A temporary token has expired by the time the stream connects again."""
    given: list[str] = []

    def token() -> str:
        given.append(f"jwt-{len(given)}")
        return given[-1]

    async def later() -> str:
        await anyio.sleep(0.1)
        return token()

    async with (
        flux_peer(in_turn(hanging_up_at_once, polite)) as peer,
        connect(token=later if asynchronous else token, url=peer.url) as stream,
    ):
        await take(stream, 4)
    assert [request.headers["Authorization"] for request in peer.requests] == ["Bearer jwt-0", "Bearer jwt-1"]


async def test_a_token_that_cannot_be_got_is_an_attempt_that_failed() -> None:
    """At first it is raised; later it is tried again. What it raised is the cause, and its message is not quoted."""
    failing = [False, True, True, False]

    def token() -> str:
        if failing.pop(0):
            raise KeyError(KEY)
        return "jwt"

    async with flux_peer(in_turn(hanging_up_at_once, polite)) as peer:
        async with connect(token=token, url=peer.url) as stream:
            items = await take(stream, 4)
        assert cast(StreamRestored, items[2]).reason == "connected again (3 attempts)"
        failing[:] = [True]
        with pytest.raises(ConnectionFailed, match="raised KeyError") as failed:
            async with connect(token=token, url=peer.url):
                pass
        assert isinstance(failed.value.__cause__, KeyError)
        assert KEY not in str(failed.value)


async def test_a_token_that_is_none_is_refused() -> None:
    """A function that gives what cannot travel in a header is the caller's mistake, and is not tried again."""
    given: list[Any] = ["jwt", f"{KEY}\n"]
    async with flux_peer(hanging_up_at_once) as peer, connect(token=lambda: given.pop(0), url=peer.url) as stream:
        await take(stream, 2)
        with pytest.raises(ConfigError, match="token: must be the bare credential") as refused:
            await anext(stream)
        assert KEY not in str(refused.value)


async def test_a_token_that_never_comes_is_given_up() -> None:
    """Getting it is bounded by connect_timeout."""

    async def never() -> str:
        await anyio.sleep_forever()
        return "jwt"

    async with flux_peer(polite) as peer:
        with pytest.raises(ConnectionFailed, match="raised TimeoutError"):
            async with connect(token=never, url=peer.url, connect_timeout=1):
                pass


# Audio that Flux had not covered ----------------------------------------------------------------------------------


def covering(heard: float, covered: float, *, after: Callable[[Link], Awaitable[None]] | None = None) -> Any:
    """A connection that is lost once it has heard so many seconds, of which it has said to have covered some."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.hear_audio(heard)
        await link.turn("Update", audio_window_end=covered)
        await (after or Link.drop)(link)

    return play


async def listening(link: Link) -> None:
    """A Flux that only listens, to the end."""
    await link.connected()
    await link.hang_up()


@pytest.mark.parametrize(("heard", "covered"), [(2.0, 1.2), (2.0, 0.0), (2.0, 2.0), (0.16, 0.08), (2.0, 1.6800001)])
async def test_what_flux_had_not_covered_is_sent_again(heard: float, covered: float) -> None:
    """The new connection hears everything after the last audio_window_end, and from then on what is new."""
    audio, more = spoken(heard), spoken(1, seed=1)
    async with opened(in_turn(covering(heard, covered), listening), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio)
        assert kinds(await take(stream, 5))[2:] == ["StreamLost", "StreamRestored", "Connected"]
        await stream.send_audio(more)
    first, second = peer.links
    assert first.audio == audio
    assert second.audio == (audio + more)[round(covered * 16000) * 2 :]
    assert stream.lost_audio_seconds == 0
    assert stream.audio_sent == pytest.approx(heard + 1)


async def test_a_message_that_comes_late_uncovers_nothing() -> None:
    """What Flux has covered stays covered."""

    async def late(link: Link) -> None:
        await link.turn("Update", audio_window_end=0.4)
        await link.drop()

    audio = spoken(1.6)
    async with opened(in_turn(covering(1.6, 1.2, after=late), polite), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio)
        await take(stream, 6)
    assert peer.links[1].audio == audio[round(1.2 * RATE) :]


async def test_what_is_said_meanwhile_is_sent_afterwards() -> None:
    """send_audio does not fail while the stream is lost, and returns at once."""
    audio = spoken(3)
    async with opened(in_turn(covering(0.96, 0.8), listening), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio[:RATE])
        assert kinds(await take(stream, 3))[-1] == "StreamLost"
        for at in range(RATE, len(audio), 100):
            await stream.send_audio(audio[at : at + 100])
        await stream.flush()
        await anext(stream)
    assert peer.links[1].audio == audio[round(0.8 * RATE) :]


async def test_a_sender_that_meets_the_loss_first_does_not_fail() -> None:
    """The frame that did not leave is sent to the next connection."""
    audio = spoken(4)
    async with opened(in_turn(covering(0.96, 0.8), listening), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio[:RATE])
        await peer.links[0].gone()
        for at in range(RATE, len(audio), FRAME):
            await stream.send_audio(audio[at : at + FRAME])
            await settle()
        assert kinds(await take(stream, 5))[2:4] == ["StreamLost", "StreamRestored"]
    assert peer.links[1].audio == audio[round(0.8 * RATE) :]


@pytest.mark.parametrize("replay_seconds", [2.0, 0.0])
async def test_what_is_too_much_to_keep_is_counted(replay_seconds: float) -> None:
    """The oldest goes first; the count, the log and StreamRestored say how much, and time runs on over the gap."""

    async def second(link: Link) -> None:
        await link.connected()
        await link.turn("Update", audio_window_end=0.24)
        await link.hang_up()

    audio = spoken(6)
    with capture_logs() as logged:
        async with opened(
            in_turn(covering(0.96, 0.48), second), reconnect_timeout=5, replay_seconds=replay_seconds
        ) as (
            stream,
            peer,
        ):
            await stream.send_audio(audio[:RATE])
            await take(stream, 3)
            for at in range(RATE, len(audio), FRAME):
                await stream.send_audio(audio[at : at + FRAME])
            restored = cast(StreamRestored, await anext(stream))
            lost = 5.52 - replay_seconds
            assert stream.lost_audio_seconds == pytest.approx(lost)
            assert restored.reason == f"connected again (1 attempt), {lost:.2f} s of audio were lost"
            update = cast(TurnInfo, (await take(stream, 2))[1])
            assert update.audio_window_end == pytest.approx(0.48 + lost + 0.24)
    assert peer.links[1].audio == audio[len(audio) - round(replay_seconds * RATE) :]
    (told,) = [entry for entry in logged if entry["event"] == "flux_audio_lost"]
    assert (told["log_level"], told["seconds"]) == ("warning", pytest.approx(lost))


async def test_audio_that_flux_never_covers_does_not_grow_without_bound() -> None:
    """A consumer that does not read cannot make the stream keep a call."""
    async with opened(polite, replay_seconds=1, reconnect_timeout=5) as (stream, _):
        for _ in range(1000):
            await stream.send_audio(bytes(FRAME))
        assert stream._audio is not None
        assert stream._audio.end - stream._audio.first < 2 * RATE


async def test_covered_audio_is_let_go() -> None:
    """In an ordinary call, what is kept is the quarter of a second that Flux is behind."""

    async def play(link: Link) -> None:
        await link.connected()
        for _ in range(100):
            await link.hear()
            await link.turn("Update", audio_window_end=len(link.audio) / RATE)
        await link.hang_up()

    async with opened(play) as (stream, _):
        await anext(stream)
        for _ in range(100):
            await stream.send_audio(bytes(FRAME))
            await anext(stream)
        assert stream._audio is not None
        assert stream._audio.end - stream._audio.first <= 2 * FRAME


async def test_frames_keep_their_order_while_old_audio_is_sent_again() -> None:
    """Whoever speaks while it goes on is heard behind it, and the reader is not kept waiting for its end."""
    audio = spoken(20)
    read: list[TurnInfo] = []

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("Update", "early")
        await link.hear_audio(20)
        await link.hang_up()

    async with opened(in_turn(covering(0.08, 0.0), second), reconnect_timeout=5, replay_seconds=20) as (stream, peer):

        async def iterate() -> None:
            async for item in stream:
                if isinstance(item, TurnInfo) and item.transcript == "early":
                    read.append(item)
                    heard_by_then.append(len(peer.links[1].audio))

        heard_by_then: list[int] = []
        await stream.send_audio(audio[:FRAME])
        await take(stream, 3)
        for at in range(FRAME, 180 * FRAME, FRAME):
            await stream.send_audio(audio[at : at + FRAME])
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(iterate)
            for at in range(180 * FRAME, len(audio), FRAME):
                await stream.send_audio(audio[at : at + FRAME])
            await until(lambda: len(peer.links) > 1 and len(peer.links[1].audio) >= len(audio))
            await stream.close()
    assert peer.links[1].audio == audio
    assert heard_by_then[0] < len(audio)


@pytest.mark.parametrize("encoding", [None, "opus"])
async def test_of_containers_nothing_is_kept(encoding: str | None) -> None:
    """Their bytes do not tell their time; what comes after the stream is back is sent, and its time runs on."""
    options = FluxOptions(encoding=encoding, sample_rate=48000 if encoding else None)

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("Update", audio_window_end=3.2)
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear()
        await link.turn("Update", audio_window_end=0.24)
        await link.hang_up()

    async with opened(in_turn(first, second), options, reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(b"old")
        assert kinds(await take(stream, 3))[-1] == "StreamLost"
        await stream.send_audio(b"meanwhile")
        await take(stream, 2)
        await stream.send_audio(b"new")
        assert cast(TurnInfo, await anext(stream)).audio_window_end == pytest.approx(3.44)
        assert stream.lost_audio_seconds is None
    assert peer.audio == [b"old", b"new"]


# Time runs on -----------------------------------------------------------------------------------------------------


async def test_times_of_a_later_connection_run_on() -> None:
    """Windows and words are moved by what earlier connections covered, over any number of them; nothing else is."""
    words = [{"word": "Hi", "confidence": 0.5, "start": 0.08, "end": 0.16}, {"word": "you"}]

    async def play(link: Link) -> None:
        await link.connected()
        await link.hear_audio(0.48)
        await link.turn(
            "StartOfTurn", "Hi you", turn_index=3, audio_window_start=0.04, audio_window_end=0.4, words=words
        )
        await link.drop()

    async with opened(play, reconnect_timeout=5, backoff_max=5) as (stream, _):
        seen = []
        for _ in range(3):
            await stream.send_audio(spoken(0.5))
            items = await take(stream, 3)
            seen.append(cast(TurnInfo, items[1]))
            await anext(stream)
    assert [message.turn_index for message in seen] == [3, 3, 3]
    assert [message.transcript for message in seen] == ["Hi you"] * 3
    assert [message.audio_window_end for message in seen] == pytest.approx([0.4, 0.8, 1.2])
    assert [message.audio_window_start for message in seen] == pytest.approx([0.04, 0.44, 0.84])
    assert [message.words[0].start for message in seen] == pytest.approx([0.08, 0.48, 0.88])
    assert [message.words[0].end for message in seen] == pytest.approx([0.16, 0.56, 0.96])
    assert [(word.word, word.start, word.end) for word in seen[2].words[1:]] == [("you", None, None)]
    assert seen[2].words[0].confidence == 0.5


async def test_words_that_cannot_be_read_are_left_alone() -> None:
    """They are passed on as they came."""

    async def second(link: Link) -> None:
        await link.connected()
        await link.turn("Update", audio_window_end=0.1, words="odd")
        await link.hang_up()

    async with opened(in_turn(covering(0.08, 0.08), second), reconnect_timeout=5) as (stream, _):
        await stream.send_audio(bytes(FRAME))
        items = await take(stream, 6)
    assert bytes(cast(TurnInfo, items[5]).raw_words) == b'"odd"'
    assert cast(TurnInfo, items[5]).audio_window_end == pytest.approx(0.18)


# Settings and commands --------------------------------------------------------------------------------------------


async def test_settings_in_force_are_in_the_new_connections_query() -> None:
    """What Configures have changed is still changed, and a question's settings go back to what they were."""

    async def answering(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(thresholds={"eot_threshold": 0.9, "eot_timeout_ms": 8000}, keyterms=["a"])
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(thresholds={"eot_threshold": 0.7, "eot_timeout_ms": 5000}, keyterms=[])
        await link.hang_up()

    async with opened(in_turn(answering, second), reconnect_timeout=5) as (stream, peer), read_by_another(stream) as r:
        async with stream.configured(eot_threshold=0.9, eot_timeout_ms=8000, keyterms=("a",)):
            await until(lambda: "StreamRestored" in kinds(r))
        assert stream.options == FluxOptions(eot_threshold=0.7, eot_timeout_ms=5000)
    assert "eot_threshold=0.9&eot_timeout_ms=8000&keyterm=a" in peer.requests[1].path
    restored = {"eot_threshold": 0.7, "eot_timeout_ms": 5000}
    assert peer.links[1].own[0] == {"type": "Configure", "thresholds": restored, "keyterms": []}


@pytest.mark.parametrize("refused", [False, True])
async def test_a_configure_on_its_way_is_sent_to_the_next_connection(refused: bool) -> None:
    """Its answer is the new connection's, and so is the time it may take."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await anyio.sleep(4)
        await (link.say("ConfigureFailure", code="NO") if refused else link.configured(keyterms=["a"]))
        await link.hang_up()

    async with (
        flux_peer(in_turn(first, second), refuse=lambda n: DOWN if 0 < n < 6 else None) as peer,
        connect(url=peer.url) as stream,
        read_by_another(stream),
    ):
        if refused:
            with pytest.raises(FluxError, match="NO"):
                await stream.configure(Configure(keyterms=("a",)))
        else:
            assert (await stream.configure(Configure(keyterms=("a",)))).keyterms == ("a",)
            assert stream.options.keyterm == ("a",)
    assert [link.own[0] for link in peer.links] == [{"type": "Configure", "keyterms": ["a"]}] * 2


async def test_a_configure_while_the_stream_is_lost_waits_for_the_next_connection() -> None:
    """Calls are merged as ever; one that nobody answers there is given up after answer_timeout."""

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_until("Configure")
        await link.configured(keyterms=["b"])
        await link.hear_until("Configure")
        await link.hang_up()

    async with opened(in_turn(hanging_up_at_once, second), reconnect_timeout=60) as (stream, peer):
        await take(stream, 2)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.configure, Configure(keyterms=("b",)))
            await settle()
            tasks.start_soon(silent_configure, stream)
            await settle()
            assert peer.commands == []
            async for item in stream:
                if isinstance(item, StreamRestored):
                    restored = anyio.current_time()
        # Both have been answered or given up by the time the peer hung up.
    assert [command.get("keyterms") for command in peer.links[1].own[:1]] == [["b"]]
    assert anyio.current_time() - restored < 10


async def silent_configure(stream: FluxStream) -> None:
    with pytest.raises(ConnectionFailed, match="did not answer Configure"):
        await stream.configure(Configure(thresholds=Thresholds(eot_threshold=0.8)))
    await stream.close()


async def test_a_configure_waits_no_longer_than_an_outage_may_last() -> None:
    """Also if nobody iterates, so that nobody connects."""
    async with opened(hanging_up_at_once, reconnect_timeout=20, answer_timeout=2) as (stream, _):
        await take(stream, 2)
        began = anyio.current_time()
        with pytest.raises(ConnectionFailed, match="did not answer Configure"):
            await stream.configure(Configure(keyterms=("a",)))
        assert anyio.current_time() - began == pytest.approx(22, abs=0.1)


async def test_a_forced_end_on_its_way_finds_no_turn_any_more() -> None:
    """The turn was lost with the connection; while there is none, no turn can be forced either."""
    async with opened(turn_then_close(START), reconnect_timeout=5) as (stream, peer):
        forced: list[bool] = []

        async def force() -> None:
            forced.append(await stream.force_end_turn())

        async with anyio.create_task_group() as tasks:
            await take(stream, 2)
            tasks.start_soon(force)
            await until(lambda: len(stream._requests.forced_ends) == 1)
            await peer.links[0].drop()
            assert isinstance(await anext(stream), StreamLost)
        assert forced == [False]
        assert await stream.force_end_turn() is False
        assert await stream.send_force_end_turn() is False


async def refusing_forces(link: Link) -> None:
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.hear_until("ForceEndTurn")
    await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
    await link.close(None)


async def test_a_host_without_forced_ends_is_asked_once() -> None:
    """It hangs up; the stream connects again, knows better, and ends no turn by force, not even on closing."""
    async with opened(in_turn(refusing_forces, turn_then_close(START)), reconnect_timeout=5) as (stream, peer):
        await take(stream, 2)
        assert await stream.send_force_end_turn() is True
        assert kinds(await take(stream, 4)) == ["StreamLost", "StreamRestored", "Connected", "TurnInfo"]
        assert await stream.send_force_end_turn() is False
        assert await stream.force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "CloseStream"]


async def test_an_end_without_a_trigger_shows_that_a_host_is_too_old_to_be_asked() -> None:
    """`trigger` and ForceEndTurn came to Flux together."""
    old_end = {"event": "EndOfTurn", "transcript": "hello"}
    async with opened(turn_then_close(START, old_end, START)) as (stream, peer):
        await take(stream, 4)
        assert await stream.send_force_end_turn() is False
    assert [command["type"] for command in peer.commands] == ["CloseStream"]


async def test_a_host_that_has_forced_ends_and_refuses_one_is_not_forgiven() -> None:
    """Then something else is wrong with what was sent, and would be again."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.turn("EndOfTurn", "hello", trigger="model")
        await link.hear_until("ForceEndTurn")
        await link.say("Error", code="UNPARSABLE_CLIENT_MESSAGE", description="unknown variant")
        await link.close(None)

    async with opened(play, reconnect_timeout=5) as (stream, _):
        await take(stream, 2)
        await stream.send_force_end_turn()
        with pytest.raises(FluxError, match="UNPARSABLE"):
            await anext(stream)


# Leaving meanwhile ------------------------------------------------------------------------------------------------


async def swallowing(link: Link) -> None:
    """Neither Connected nor anything else."""
    await link.gone()


def assert_no_tasks_are_left() -> None:
    """On trio, a nursery that is closed has none."""
    try:
        left = asyncio.all_tasks() - {asyncio.current_task()}
    except RuntimeError:
        return
    assert [task.get_coro() for task in left if "turnkit" in repr(task.get_coro())] == []


LOST = {"backing off": (503, hanging_up_at_once), "connecting": (0, swallowing)}


@pytest.mark.parametrize("when", LOST)
@pytest.mark.parametrize("how", ["close", "leave", "cancel"])
async def test_leaving_during_an_outage_is_prompt(when: str, how: str) -> None:
    """The iteration ends, nothing is waited for, and neither a task nor a socket stays."""
    status, second = LOST[when]
    ended: list[str] = []
    async with flux_peer(
        in_turn(hanging_up_at_once, second), refuse=lambda n: (status, b"", {}) if n and status else None
    ) as peer:
        began = anyio.current_time()
        with anyio.CancelScope() as scope:
            async with connect(
                url=peer.url, connect_timeout=1000, backoff_first=1000, backoff_max=1000, reconnect_timeout=10_000
            ) as stream:

                async def iterate() -> None:
                    async for item in stream:
                        ended.append(type(item).__name__)  # noqa: PERF401 - it is looked at after a cancellation
                    ended.append("over")

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(iterate)
                    await until(lambda: len(peer.requests) == 2 and stream._reconnecting is not None)
                    await settle()
                    await stream.send_audio(bytes(10 * FRAME))
                    if how == "cancel":
                        scope.cancel()
                    elif how == "close":
                        await stream.close()
                        await stream.close()
                    else:
                        tasks.cancel_scope.cancel()
        assert anyio.current_time() - began < 1
        assert stream.lost_audio_seconds == pytest.approx(0.8)
        assert_no_tasks_are_left()
        for link in peer.links:
            await link.gone()
    assert ended == ["Connected", "StreamLost", "over"][: 3 if how == "close" else 2]


async def test_a_consumer_that_stops_waiting_and_comes_back_gets_what_it_missed() -> None:
    """Cancelling one anext breaks nothing: the next goes on where it was, in pauses and in attempts."""

    async def slow(link: Link) -> None:
        await anyio.sleep(0.3)
        await link.connected()
        await link.hang_up()

    async with (
        flux_peer(in_turn(hanging_up_at_once, slow), refuse=lambda n: DOWN if n == 1 else None) as peer,
        connect(url=peer.url) as stream,
    ):
        await take(stream, 2)
        items: list[StreamItem] = []
        cancelled = 0
        while len(items) < 2:
            with anyio.move_on_after(0.2 if cancelled < 4 else 10) as scope:
                items.append(await anext(stream))
            cancelled += scope.cancelled_caught
        assert cancelled >= 4
    assert [type(item) for item in items] == [StreamRestored, Connected]


async def test_every_connection_but_the_last_is_gone() -> None:
    """Fifty losses later there is one socket, and afterwards none; tasks neither."""
    async with opened(hanging_up_at_once, reconnect_timeout=1e6, backoff_max=0.5) as (stream, peer):
        await take(stream, 150)
        for link in peer.links[:-1]:
            await link.gone()
    await peer.links[-1].gone()
    assert_no_tasks_are_left()


async def test_a_stream_that_nobody_reads_is_left_as_ever() -> None:
    """A loss that nobody has seen is no error on the way out."""
    async with opened(hanging_up_at_once, reconnect_timeout=5) as (stream, peer):
        await peer.links[0].gone()
        await stream.send_audio(bytes(FRAME))
    assert len(peer.requests) == 1


async def test_a_host_that_comes_back_as_something_else_is_tried_again(anyio_backend_name: str) -> None:
    """What answers may be a proxy for a while: no WebSocket, then Flux again; then somebody who only hangs up."""
    served = 0

    async def answer(tcp: anyio.abc.SocketStream) -> None:
        nonlocal served
        served += 1
        await tcp.receive()
        await tcp.send(b"220 mail.example ESMTP\r\n\r\n" if served % 2 else b"HTTP/1.1 200 OK\r\n\r\n")

    async with tcp_peer(answer) as host, opened(hanging_up_at_once, reconnect_timeout=4) as (stream, _):
        await take(stream, 2)
        stream._connector.host = host
        with pytest.raises(ConnectionFailed) as gone:
            await anext(stream)
    assert {type(attempt) for attempt in gone.value.attempts[1:]} == {RemoteProtocolError}


async def test_a_loss_says_nothing_personal() -> None:
    """Neither what was said nor the key, in log, reason or error."""
    with capture_logs() as logged:
        async with opened(in_turn(turn_then_drop, polite), reconnect_timeout=5) as (stream, _):
            items = await take(stream, 5)
    events = [entry["event"] for entry in logged if entry["log_level"] != "debug"]
    assert events == ["flux_lost", "flux_restored"]
    shown = [*map(repr, logged), *(repr(item) for item in items if isinstance(item, (StreamLost, StreamRestored)))]
    assert not any(KEY in text or "hello" in text for text in shown)


async def turn_then_drop(link: Link) -> None:
    await link.connected()
    await link.turn("StartOfTurn", "hello")
    await link.drop()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reconnect_timeout": -1}, r"reconnect_timeout=-1: must be a positive.*, or 0 to do without"),
        ({"reconnect_timeout": float("inf")}, "reconnect_timeout=inf"),
        ({"replay_seconds": -0.1}, "replay_seconds"),
        ({"backoff_first": 0}, "backoff_first=0"),
        ({"backoff_first": 9}, r"backoff_first=9: must be at most backoff_max=8\.0"),
        ({"message_timeout": 0}, r"message_timeout=0: .*, or inf to do without"),
        ({"silence_after": "1"}, "silence_after='1'"),
    ],
)
async def test_bounds_that_cannot_hold_are_refused(given: dict[str, Any], said: str) -> None:
    """Before the network, each naming itself, its value and the rule."""
    with pytest.raises(ConfigError, match=said):
        connect(api_key=KEY, **given)
    connect(
        api_key=KEY, reconnect_timeout=0, replay_seconds=0, message_timeout=float("inf"), silence_after=float("inf")
    )
