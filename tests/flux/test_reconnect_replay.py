"""Audio that Flux had not covered is sent again after a reconnect, and stream time runs on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import anyio.abc
import pytest
from structlog.testing import capture_logs

from tests.support.audio import FRAME, RATE, spoken
from tests.support.flux_peer import Link, in_turn, polite
from tests.support.kinds import kinds
from tests.support.streams import opened, take
from tests.support.waiting import settle, until
from turnkit.flux import FluxStream
from turnkit.flux.audio_buffer import AudioBuffer
from turnkit.turns.events import StreamRestored
from turnkit.wire import FluxOptions, TurnInfo

pytestmark = pytest.mark.anyio


# Audio that Flux had not covered ------------------------------------------------------------------------------------


def ending(second: float) -> dict[str, Any]:
    """What a message tells: words, the last of which ends there."""
    return {"transcript": "So well", "words": [{"word": "So", "end": 0.01}, {"word": "well", "end": second}]}


def covering(heard: float, covered: float, *, after: Callable[[Link], Awaitable[None]] | None = None) -> Any:
    """A connection that is lost once it has heard so many seconds, of which it has told the words of some."""

    async def play(link: Link) -> None:
        await link.connected()
        await link.hear_audio(heard)
        await link.turn("Update", audio_window_end=covered, **ending(covered))
        await (after or Link.drop)(link)

    return play


def kept(stream: FluxStream) -> int:
    """How many bytes of audio the stream keeps."""
    audio = stream._protocol.audio
    assert isinstance(audio, AudioBuffer)
    return audio.end - audio.first


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


BARE: dict[str, Any] = {"transcript": "So well"}


@pytest.mark.parametrize(
    ("told", "covered"),
    [
        ([(1.2, ending(0.9))], 0.9),  # the next word may be on its way
        ([(1.8, {})], 0.8),  # one that began before would have been told
        ([(0.6, {})], 0.0),
        ([(1.0, ending(0.5)), (1.9, {})], 0.9),
        ([(1.0, ending(0.5)), (1.2, {})], 0.5),
        ([(1.0, ending(0.8)), (1.2, ending(0.6))], 0.6),  # "well" was taken back
        ([(1.2, ending(0.9)), (1.0, ending(0.6))], 0.9),  # the second one comes late
        ([(1.2, ending(1.7))], 1.2),  # what was not heard was not said
        ([(1.2, ending(-1e308))], 0.2),
        ([(1.2, BARE)], 1.2),  # an older host does not say where words end
        ([(1.2, {**BARE, "words": [{"word": "So", "end": 0.9}, {"word": "well"}]})], 1.2),
        ([(1.2, {**BARE, "words": [{"word": "So", "end": "0.9"}]})], 0.9),
        ([(1.2, {**BARE, "words": [{"word": "So", "end": "NaN"}]})], 1.2),
        ([(1.2, {**BARE, "words": "odd"})], 1.2),
    ],
)
@pytest.mark.parametrize("event", ["Update", "EndOfTurn"])
async def test_what_flux_heard_and_had_not_told_is_sent_again(
    event: str, told: list[tuple[float, dict[str, Any]]], covered: float
) -> None:
    """From the end of the last word it told, but no more than a second: a word is told within that time."""

    async def first(link: Link) -> None:
        await link.connected()
        await link.hear_audio(2)
        for window, fields in told:
            await link.turn(event, audio_window_end=window, **fields)
        await link.drop()

    async def second(link: Link) -> None:
        await link.connected()
        await link.hear_audio(0.8)
        await link.turn("Update", audio_window_end=0.24)
        await link.hang_up()

    audio = spoken(2.2)
    async with opened(in_turn(first, second), reconnect_timeout=5) as (stream, peer):
        await stream.send_audio(audio[: 2 * RATE])
        await take(stream, 4 + len(told))
        await stream.send_audio(audio[2 * RATE :])
        update = cast(TurnInfo, await anext(stream))
        assert update.audio_window_end == pytest.approx(covered + 0.24)
    assert peer.links[1].audio == audio[round(covered * 16000) * 2 :]
    assert stream.lost_audio_seconds == 0


async def test_a_message_that_comes_late_uncovers_nothing() -> None:
    """What Flux has covered stays covered."""

    async def late(link: Link) -> None:
        await link.turn("Update", audio_window_end=0.4, **ending(0.4))
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
        assert kept(stream) < 2 * RATE


async def test_covered_audio_is_let_go() -> None:
    """In an ordinary call, what is kept is the second within which words are told, and what Flux is behind."""

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
        assert RATE <= kept(stream) <= RATE + 2 * FRAME


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


# Time runs on -------------------------------------------------------------------------------------------------------


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
