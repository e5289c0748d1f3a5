"""What Flux has been seen to do, or might: it falls silent or gets stuck, early or late. The table is PAINS.md."""

from __future__ import annotations

import anyio
import pytest

from tests.support.flux_peer import Link, flux_peer
from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen
from turnkit.flux import FluxStream, connect
from turnkit.session import Session
from turnkit.turns.events import (
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Note,
    PlaybackFinished,
    PlaybackStarted,
    Speculate,
    StartOfTurn,
    TurnDropped,
    TurnStalled,
    TurnStarted,
    Update,
)

pytestmark = pytest.mark.anyio


async def pour(stream: FluxStream, pause: float = 0.0) -> None:
    """Half a minute of audio in pieces of 80 ms, or more at once than any connection takes."""
    for _ in range(400):
        await stream.send_audio(bytes(2560 if pause else 2**16))
        await anyio.sleep(pause)


async def test_hazard_a_no_audio_no_events_and_the_turn_ends_all_the_same() -> None:
    """All of Flux's timers run on the audio it gets: muted in mid-turn, it ends no turn however long one waits.

    https://github.com/pipecat-ai/pipecat/pull/4430 sends silence against it - so does the stream; and a turn without
    progress ends by the clock of the machine, which needs neither audio nor events.
    """

    async def runs_on_audio(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "My number")
        heard = 0
        while heard < 2 * 32000:
            heard += len(await link.hear())
        await link.turn("EndOfTurn", "My number is five.", trigger="timeout")
        await link.hang_up()

    session = Session()
    signals = listen(session)
    async with flux_peer(runs_on_audio) as peer, connect(url=peer.url) as stream:

        @session.on(Commit)
        async def hang_up(commit: Commit) -> None:
            await stream.close()

        await stream.send_audio(bytes(6400))
        await session.run(stream)
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    assert (commit.transcript, commit.trigger) == ("My number is five.", "timeout")

    call = RefereedCall()
    call.play(StartOfTurn(0, "My number"), 0.3, Update(0, "My number is five"), 60.0)
    assert [(commit.transcript, commit.trigger) for commit in call.of(Commit)] == [("My number is five", "stalled")]
    call.play(Update(0, "My number is five five"), 0.3, EndOfTurn(0, "My number is five five"))
    assert call.of(Commit)[-1].transcript == "My number is five five", "what is said after unmuting is heard"


async def test_hazard_d_a_healthy_socket_that_says_nothing_more_is_given_up() -> None:
    """StartOfTurn, and then nothing at all, while audio flows and the socket answers pings.

    https://github.com/pipecat-ai/pipecat/issues/5735 - the turn is released on the words it has, the connection is
    replaced, and what the caller says next is heard on the new one.
    """

    async def stalls_at_first(link: Link) -> None:
        await link.connected()
        if len(peer.requests) == 1:
            await link.turn("StartOfTurn", "Hey")
            await link.turn("Update", "Hey there")
        else:
            await link.turn("StartOfTurn", "Are you")
            await link.turn("EndOfTurn", "Are you there?", trigger="model")
        await link.hang_up()

    session = Session(stall_timeout=3.0, stall_grace=0.5)
    signals = listen(session)
    async with flux_peer(stalls_at_first) as peer, connect(url=peer.url, message_timeout=6.0) as stream:

        @session.on(Commit)
        async def hang_up(commit: Commit) -> None:
            if commit.turn == 1:
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pour, stream, 0.08)
            await session.run(stream)
    start, stalled = (next(signal for signal in signals if type(signal) is kind) for kind in (TurnStarted, TurnStalled))
    first, second = (signal for signal in signals if isinstance(signal, Commit))
    assert (first.transcript, first.trigger) == ("Hey there", "stalled")
    assert stalled.at - start.at == pytest.approx(3.0, abs=0.1)
    assert first.at - stalled.at == pytest.approx(0.5)
    assert second.transcript == "Are you there?"
    assert second.at - start.at == pytest.approx(6.0, abs=0.5)


def test_hazard_e_a_stuck_turn_that_stays_chatty_is_stuck() -> None:
    """The turn never closes, and the socket goes on sending empty Updates, or the same words over and over.

    https://github.com/bolna-ai/bolna/pull/843 - only new words or a new state are progress.
    """
    for chatter in ("", "a cab", "A cab."):
        call = RefereedCall()
        call.play(StartOfTurn(0, "a cab"))
        for tick in range(60):
            call.play(0.24, Update(0, chatter, 0.3, 1.0 + 0.24 * tick))
        assert [stalled.at for stalled in call.of(TurnStalled)] == pytest.approx([8.0]), chatter
        (commit,) = call.of(Commit)
        assert (commit.trigger, commit.transcript) == ("stalled", "A cab." if chatter == "A cab." else "a cab")
        assert commit.at == pytest.approx(10.0)
        assert call.of(Note) == []


async def test_hazard_f_a_blocked_send_is_given_up_and_loses_no_words() -> None:
    """The peer stops reading: the send blocks without an error for seven and a half minutes, and the whole bot with it.

    https://github.com/pipecat-ai/pipecat/issues/5796 - every send is bounded, a connection that takes nothing is
    replaced, and the words of the turn that was open come with the next one.
    """

    async def deaf_at_first(link: Link) -> None:
        await link.connected()
        if len(peer.requests) == 1:
            await link.turn("StartOfTurn", "a cab", turn_index=3)
            await link.turn("Update", "a cab to the", turn_index=3)
            return await link.gone()
        await link.turn("StartOfTurn", "station")
        await link.turn("EndOfTurn", "station, please", trigger="model")
        await link.hang_up()

    session = Session()
    signals = listen(session)
    async with flux_peer(deaf_at_first) as peer, connect(url=peer.url, send_timeout=1.0) as stream:

        @session.on(Commit)
        async def answered(commit: Commit) -> None:
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pour, stream)
            await session.run(stream)
    (commit,) = (signal for signal in signals if isinstance(signal, Commit))
    began = next(signal.at for signal in signals if isinstance(signal, TurnStarted))
    assert (commit.turn, commit.transcript, commit.unanswered) == (1, "station, please", ("a cab to the",))
    assert commit.at - began < 5.0


def test_hazard_s_a_late_end_of_turn_is_waited_for() -> None:
    """An EndOfTurn 1.44 s after the last sound was seen in a recorded session; Flux's own timeout is 5 s by default.

    By default no turn is taken for stuck within the two.
    """
    call = RefereedCall()
    call.play(StartOfTurn(0, "America"), 1.28, EagerEndOfTurn(0, "America", 0.79), 0.16, EndOfTurn(0, "America", 0.91))
    assert call.of(Commit)[0].at - call.of(Speculate)[0].at == pytest.approx(0.16)
    call.play(PlaybackStarted(0), PlaybackFinished(0), StartOfTurn(1, "and"))
    call.play(5.0 + 1.44, EndOfTurn(1, "and", 0.3, trigger="timeout"))
    assert call.of(Commit)[1].trigger == "timeout"
    assert call.of(TurnStalled) == []


@pytest.mark.parametrize("forced", [True, False])
async def test_hazard_t_a_stream_that_is_closed_in_mid_turn_still_ends_its_turn(forced: bool) -> None:
    """CloseStream brings Updates and a close without a code, and never an EndOfTurn.

    https://developers.deepgram.com/docs/flux/close-stream - the turn's end is asked for first; where the host does not
    know how, the turn is reported with the last words it had.
    """

    async def closes(link: Link) -> None:
        await link.connected()
        await link.turn("StartOfTurn", "a table")
        await link.hear_until("ForceEndTurn")
        await link.turn("Update", "a table for two")
        if forced:
            await link.turn("EndOfTurn", "a table for two", trigger="manual")
        await link.hang_up()

    session = Session()
    signals = listen(session)
    async with flux_peer(closes) as peer, connect(url=peer.url) as stream:

        @session.on(TurnStarted)
        async def hang_up(start: TurnStarted) -> None:
            await stream.close()

        await session.run(stream)
    assert [command["type"] for command in peer.commands] == ["ForceEndTurn", "CloseStream"]
    commits = [(signal.transcript, signal.trigger) for signal in signals if isinstance(signal, Commit)]
    drops = [(signal.transcript, signal.reason) for signal in signals if isinstance(signal, TurnDropped)]
    assert commits == ([("a table for two", "manual")] if forced else [])
    assert drops == ([] if forced else [("a table for two", DropReason.CLOSED)])
