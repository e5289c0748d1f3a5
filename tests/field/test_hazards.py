"""What Flux has been seen to do, or promises not to do and might: each met as it comes. The table is PAINS.md."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.field.test_pains_turns import Call, frame
from tests.session.test_replies import Voice, outcomes, turn
from tests.session.test_session import kinds, listen, script
from tests.support.flux_peer import Link, flux_peer
from turnkit.flux import FluxStream, connect
from turnkit.session import Reply, Session
from turnkit.turns.chart import ReplyState, UserState
from turnkit.turns.events import (
    BargeIn,
    Cancel,
    CancelReason,
    Commit,
    DropReason,
    EagerEndOfTurn,
    EndOfTurn,
    Hold,
    Note,
    NoteKind,
    PlaybackAdvanced,
    PlaybackFinished,
    PlaybackStarted,
    Resume,
    ResumeReason,
    Speculate,
    StartOfTurn,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from turnkit.turns.policy import HoldThenDecide, MinWords, Pause
from turnkit.wire import TurnInfo, Unknown, decode, to_event

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

    call = Call()
    call.play(StartOfTurn(0, "My number"), 0.3, Update(0, "My number is five"), 60.0)
    assert [(commit.transcript, commit.trigger) for commit in call.of(Commit)] == [("My number is five", "stalled")]
    call.play(Update(0, "My number is five five"), 0.3, EndOfTurn(0, "My number is five five"))
    assert call.of(Commit)[-1].transcript == "My number is five five", "what is said after unmuting is heard"


def test_hazard_b_words_before_the_start_of_their_turn_start_none_and_are_not_lost() -> None:
    """An Update with "We" at 0.72 s of audio, the StartOfTurn with "We, the" at 0.96 s: seen in a recorded session.

    The Update begins no turn; if the StartOfTurn should come without words, it has those.
    """
    for started in ("We, the", ""):
        call = Call()
        for event, text, end, confidence in (
            ("Update", "", 0.48, 0.45),
            ("Update", "We", 0.72, 0.3),
            ("StartOfTurn", started, 0.96, 0.2),
        ):
            message = decode(
                {**frame(event, 0, text), "audio_window_end": end, "end_of_turn_confidence": confidence, "words": []}
            )
            fed = to_event(message)
            assert fed is not None
            assert call.machine.user is UserState.LISTENING
            call.play(fed, 0.24)
        assert [start.transcript for start in call.of(TurnStarted)] == [started or "We"]
        assert call.of(Note) == []


def test_hazard_c_a_turn_that_only_updates_tell_of_has_a_beginning_and_an_end() -> None:
    """A turn starts from an Update and never gets its StartOfTurn; then the server goes silent.

    https://github.com/bolna-ai/bolna/pull/758 - words that go on for longer than Flux takes to announce a turn are
    one: they interrupt the agent like any, and end for want of progress.
    """
    call = Call(barge_in=MinWords(2))
    call.talk()
    for step in range(6):
        call.play(Update(1, "please wait", audio_end=1.0 + 0.24 * step), 0.24)
    assert [note.kind for note in call.of(Note)] == [NoteKind.MISSING_START]
    assert len(call.of(BargeIn)) == 1
    call.play(10.0)
    assert [(commit.transcript, commit.trigger) for commit in call.of(Commit)[1:]] == [("please wait", "stalled")]


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
        call = Call()
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


def test_hazard_g_several_eager_ends_in_one_turn_have_a_draft_each() -> None:
    """Eager, resumed, eager, resumed within one turn_index: counters, not flags.

    https://developers.deepgram.com/docs/flux/state shows two in one turn - each draft has its own id and its own end,
    and the policy is told how many there have been.
    """
    attempts: list[int] = []

    def count(pause: Pause) -> bool:
        attempts.append(pause.attempts)
        return True

    call = Call(speculation=count)
    call.play(StartOfTurn(0, "one"))
    text = "one"
    for word in ("two", "three", "four"):
        call.play(0.3, EagerEndOfTurn(0, text), 0.2, TurnResumed(0, text))
        text = f"{text} {word}"
    call.play(0.3, EagerEndOfTurn(0, text), 0.2, EndOfTurn(0, text))
    assert attempts == [0, 1, 2, 3]
    assert [draft.reply for draft in call.of(Speculate)] == [0, 1, 2, 3]
    assert [(cancel.reply, cancel.reason) for cancel in call.of(Cancel)] == [
        (reply, CancelReason.RESUMED) for reply in range(3)
    ]
    assert [(commit.reply, commit.speculative) for commit in call.of(Commit)] == [(3, True)]


def test_hazard_h_updates_that_repeat_the_eager_text_do_not_cancel_the_draft() -> None:
    """Between EagerEndOfTurn and EndOfTurn come Updates with unchanged text: seen in a recorded session."""
    call = Call()
    text = "establish this Constitution for the United States of America."
    call.play(StartOfTurn(0, "establish"), EagerEndOfTurn(0, text, 0.79), 0.08, Update(0, text, 0.72), 0.08)
    assert call.play(Update(0, text.lower().rstrip("."), 0.81), Update(0, "", 0.81)) == []
    assert call.machine.draft == 0
    call.play(EndOfTurn(0, text, 0.91))
    assert call.of(Commit)[0].speculative


def test_hazard_i_confidence_that_falls_after_an_eager_end_means_nothing() -> None:
    """0.7925 at the eager end, then 0.7183, then 0.9136 at the end: seen in a recorded session."""
    call = Call()
    call.play(StartOfTurn(0, "yes"), EagerEndOfTurn(0, "yes please", 0.7925))
    assert call.play(0.08, Update(0, "yes please", 0.7183), 0.08, Update(0, "yes please", 0.05)) == []
    call.play(EndOfTurn(0, "yes please", 0.065))
    assert call.of(Commit)[0].speculative, "manual ends come with any confidence"


def test_hazard_j_confidence_above_the_eager_threshold_is_no_eager_end() -> None:
    """0.6348 and 0.7773 in mid-sentence, with an eager threshold of 0.5, and no EagerEndOfTurn: seen in a recorded
    session."""
    call = Call()
    call.play(StartOfTurn(0, "We, the", 0.1), 0.24, Update(0, "We, the people", 0.6348), 0.08)
    call.play(Update(0, "We, the people of", 0.7773))
    assert call.of(Speculate) == []
    assert call.machine.user is UserState.SPEAKING


def test_hazard_k_confidence_above_the_end_threshold_in_silence_is_no_end() -> None:
    """0.8164 in idle silence with a threshold of 0.8, and 0.45 on the very first frame: seen in a recorded session."""
    call = Call()
    call.play(Update(0, "", 0.45), 0.24, StartOfTurn(0, "yes", 0.1), 0.24)
    assert call.play(Update(0, "yes", 0.8164)) == []
    call.play(EndOfTurn(0, "yes", 0.9), PlaybackStarted(0), PlaybackFinished(0))
    assert call.play(*(Update(1, "", 0.82) for _ in range(20))) == []
    assert len(call.of(Commit)) == 1


async def test_hazard_l_an_eager_end_and_the_end_at_once_are_one_answer() -> None:
    """They may be 160 ms apart, as seen in a recorded session, or come together: the draft has not even begun.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - it is kept, begun once, and heard.
    """
    for gap in (0.0, 0.16):
        voice = Voice()
        begun: list[bool] = []

        async def respond(reply: Reply, begun: list[bool] = begun) -> None:
            begun.append(reply.speculative)
            await reply.say("Sure.")

        session = Session(respond=respond, speak=voice.speak)
        ends = outcomes(session)
        await session.run(script(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), gap, EndOfTurn(0, "tea"), 1.0))
        assert begun == [True]
        assert ends == [(0, "finished", "Sure.")]


def test_hazard_m_an_end_without_an_eager_end_before_it_is_answered() -> None:
    """A manual end comes without an eager one though eager mode is on, and so may a timeout or a sure end.

    https://developers.deepgram.com/docs/flux/force-end-turn - a draft is a gain and never a condition.
    """
    for trigger in ("manual", "timeout", "model", "something newer", ""):
        call = Call()
        call.play(StartOfTurn(0, "five five"), EndOfTurn(0, "five five", 0.35, trigger=trigger))
        (commit,) = call.of(Commit)
        assert (commit.speculative, commit.trigger) == (False, trigger)


def test_hazard_n_eager_ends_and_ends_without_words_mean_nothing_was_said() -> None:
    """Both contradict the documentation, and clients guard against them.

    https://github.com/bolna-ai/bolna/blob/03d0327170c06faa000765b446a674ea1276ff40/bolna/transcriber/deepgram_transcriber.py
    - a blank eager end is noted; a blank end takes the draft along, drops the turn, and the index moves on.
    """
    call = Call()
    (note,) = call.play(EagerEndOfTurn(0, " "))
    assert isinstance(note, Note)
    assert note.kind is NoteKind.BLANK_EAGER
    call.play(StartOfTurn(0, "um"), EagerEndOfTurn(0, ""), EagerEndOfTurn(0, "um"), 0.2, EndOfTurn(0, "…"))
    assert [drop.reason for drop in call.of(TurnDropped)] == [DropReason.EMPTY]
    assert [cancel.reason for cancel in call.of(Cancel)] == [CancelReason.EMPTY_TURN]
    call.play(EndOfTurn(1, ""), StartOfTurn(2, "hi"), EndOfTurn(2, "hi"))
    assert [commit.transcript for commit in call.of(Commit)] == ["hi"]


def test_hazard_o_a_false_start_from_noise_or_echo_is_recovered_from() -> None:
    """Noise, or the agent's own voice, starts a turn with a guessed word, and there was nobody.

    https://developers.deepgram.com/guides/deep-dives/audio-preprocessing-barge-in - a policy can pause the agent
    instead of stopping it; when the turn turns out empty, the agent goes on where it was.
    """
    call = Call(barge_in=HoldThenDecide(MinWords(2)))
    call.talk()
    call.play(PlaybackAdvanced(0, "Our rooms"), 0.5, StartOfTurn(1, "Hey"), 0.4, EndOfTurn(1, ""))
    assert [type(signal).__name__ for signal in call.signals[-4:]] == ["TurnStarted", "Hold", "Resume", "TurnDropped"]
    assert call.of(Resume)[0].reason is ResumeReason.EMPTY_TURN
    assert call.machine.floor == (0, ReplyState.AUDIBLE)
    call.play(PlaybackFinished(0), StartOfTurn(2, "I"), 0.4, EndOfTurn(2, ""))
    assert len(call.of(Commit)) == 1, "nor is an answer made for nobody"
    call.rest()


def test_hazard_p_a_start_without_words_is_a_start_that_waits_for_them() -> None:
    """Promised never to come (https://developers.deepgram.com/docs/flux/state), and sent by some: no words, no verdict
    by words; the turn gets its text when it comes."""
    call = Call(barge_in=HoldThenDecide(MinWords(1)))
    call.talk()
    call.play(StartOfTurn(1, ""))
    assert (len(call.of(Hold)), call.of(BargeIn)) == (1, [])
    call.play(0.24, Update(1, "stop"))
    assert [barge.transcript for barge in call.of(BargeIn)] == ["stop"]
    call.play(0.24, EndOfTurn(1, "stop"))
    assert call.of(Commit)[-1].transcript == "stop"


def test_hazard_q_nothing_depends_on_how_often_updates_come() -> None:
    """Every 0.24 s, every 0.08 s while the confidence is high, and idle too: seen in a recorded session."""
    for period in (0.08, 0.24, 2.0):
        call = Call(idle_timeout=5.0)
        for _ in range(round(12 / period)):
            call.play(Update(0, "", 0.6), period)
        assert [idle.at for idle in call.of(UserIdle)] == pytest.approx([5.0, 10.0]), period
        call = Call()
        call.play(StartOfTurn(0, "a"))
        while call.at < 18.0:
            call.play(period, Update(0, "a b" if call.at + period > 4.0 else "a", 0.6))
        (updated,) = call.of(TurnUpdated)
        (stalled,) = call.of(TurnStalled)
        assert stalled.at == pytest.approx(updated.at + 8.0), period


async def test_hazard_r_nothing_is_added_to_the_time_that_flux_takes_to_hear_a_start() -> None:
    """StartOfTurn comes 0.56 to 0.6 s after the first sound, as seen in a recorded session: the agent stops in the very
    step in which it comes, and Updates with words before it are given that long to be announced."""
    session = Session()
    log: list[str] = []
    session.on(BargeIn, lambda signal: log.append("stopped"))
    early = [Update(1, "no", audio_end=10.40 + 0.08 * step) for step in range(7)]
    await session.run(
        script(
            *turn(0, "tell me", eager=False),
            lambda: session.playback_started(0),
            *early,
            lambda: log.append("announced"),
            StartOfTurn(1, "no", audio_end=10.96),
            lambda: log.append("next"),
        ),
        drain=False,
    )
    assert log == ["announced", "stopped", "next"]
    assert not session.notes


def test_hazard_s_a_late_end_of_turn_is_waited_for() -> None:
    """An EndOfTurn 1.44 s after the last sound was seen in a recorded session; Flux's own timeout is 5 s by default.

    By default no turn is taken for stuck within the two.
    """
    call = Call()
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


async def test_hazard_u_a_backlog_of_events_leaves_one_answer_and_is_none_of_the_readers_making() -> None:
    """Eager, resumed, eager and end were handled within half a millisecond, because the reader had been waiting for the
    playback of a reply: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - no handler and no playback holds up the reader,
    and of what comes in one burst, only the last draft begins.
    """
    voice = Voice()
    begun: list[str] = []

    async def respond(reply: Reply) -> None:
        begun.append(reply.transcript)
        await reply.say("one two three four five six seven eight nine ten" if reply.turn == 0 else "Yes.")

    session = Session(respond=respond, speak=voice.speak)
    signals = listen(session)

    @session.on(TurnStarted)
    async def slow(signal: TurnStarted) -> None:
        await anyio.sleep(60)

    burst = [StartOfTurn(1, "do"), EagerEndOfTurn(1, "do you"), TurnResumed(1, "do you")]
    burst += [EagerEndOfTurn(1, "do you have pets"), EndOfTurn(1, "do you have pets")]
    await session.run(script(*turn(0, "hello"), 0.45, *burst, 1.0), drain=False)
    at = [signal.at for signal in signals if not isinstance(signal, (UserIdle,))]
    assert at[-1] - at[0] == pytest.approx(0.45)
    assert begun == ["hello", "do you have pets"]
    assert voice.heard == "one two three four five Yes."


def test_hazard_v_a_late_resume_does_not_touch_the_reply_of_a_turn_that_is_over() -> None:
    """TurnResumed handled after the EndOfTurn of the same turn cancelled the committed reply: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - it takes back a draft, and nothing else.
    """
    call = Call()
    call.play(StartOfTurn(0, "tea"), EagerEndOfTurn(0, "tea"), 0.1, EndOfTurn(0, "tea"))
    (note,) = call.play(TurnResumed(0, "tea"))
    assert isinstance(note, Note)
    assert note.kind is NoteKind.STALE_TURN
    assert call.machine.floor == (0, ReplyState.PENDING)
    call.play(PlaybackStarted(0), TurnResumed(0, "tea"), TurnResumed(1, ""))
    assert call.machine.floor == (0, ReplyState.AUDIBLE)
    assert call.of(Cancel) == []


def test_hazard_w_a_stale_end_does_not_end_the_turn_that_has_begun_since() -> None:
    """An EndOfTurn of an older turn arrives after the user has begun another.

    https://github.com/vellum-ai/vellum-assistant/pull/40224 - turns are told apart by their index.
    """
    call = Call()
    call.play(StartOfTurn(3, "old"), EndOfTurn(3, "old"), PlaybackStarted(0), PlaybackFinished(0))
    call.play(StartOfTurn(4, "new"))
    call.play(EndOfTurn(3, "old and more"), EndOfTurn(2, "older"), EagerEndOfTurn(3, "old"))
    assert [note.kind for note in call.of(Note)] == [NoteKind.STALE_TURN] * 3
    assert (call.machine.turn, call.machine.user) == (1, UserState.SPEAKING)
    call.play(EndOfTurn(4, "new words"))
    assert [commit.transcript for commit in call.of(Commit)] == ["old", "new words"]


def test_hazard_x_the_end_of_a_turn_counts_once() -> None:
    """A second EndOfTurn for one turn_index has never been seen, and clients guard against it.

    https://developers.deepgram.com/docs/flux/state - the index moves on with the first.
    """
    call = Call()
    call.play(StartOfTurn(0, "pay"), EndOfTurn(0, "pay"), EndOfTurn(0, "pay"), 0.5, EndOfTurn(0, "pay twenty"))
    call.play(PlaybackStarted(0), 1.0, EndOfTurn(0, "pay"), PlaybackFinished(0), EndOfTurn(0, "pay"))
    assert len(call.of(Commit)) == 1
    assert len(call.of(Note)) == 4


async def test_hazard_y_words_drafted_for_again_can_have_the_draft_of_before() -> None:
    """Eager, resumed, eager, end, all with the same words: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - the first draft is cancelled, as asked; the words
    and the key of the second are the same, so what the LLM has said to them can be had again without a call.
    """
    voice = Voice()
    said: dict[tuple[str, str], str] = {}
    calls: list[int] = []

    async def respond(reply: Reply) -> None:
        known = (reply.key, reply.transcript)
        if known not in said:
            await anyio.sleep(0.3)
            calls.append(reply.id)
            said[known] = "Only cats."
        await reply.say(said[known])

    session = Session(respond=respond, speak=voice.speak)
    ends = outcomes(session)
    pets = "do you allow pets?"
    await session.run(
        script(
            StartOfTurn(0, "do"),
            EagerEndOfTurn(0, pets),
            0.4,
            TurnResumed(0, pets),
            0.1,
            EagerEndOfTurn(0, pets),
            0.05,
            EndOfTurn(0, pets),
        )
    )
    assert calls == [0]
    assert voice.heard == "Only cats."
    assert [end[:2] for end in ends] == [(0, "cancelled"), (1, "finished")]


class SdkObject:
    """A message as SDKs build it: fields as attributes, or hidden among the extras of the wrong class."""

    def __init__(self, extras: dict[str, Any] | None = None, **fields: Any) -> None:
        self.__dict__.update(fields)
        self.model_extra = extras


async def test_hazard_z_whatever_an_sdk_makes_of_a_message_the_call_goes_on() -> None:
    """By version, an SDK hands out dicts, objects of the right class, objects of the wrong one with the fields hidden,
    and None for what it does not know.

    https://github.com/deepgram/deepgram-python-sdk/issues/792 - each is read for what it is; what is lost is counted.
    """
    session = Session()
    signals = listen(session)
    await session.run(
        script(
            SdkObject(type="Connected", request_id="r", sequence_id=0),
            SdkObject(**frame("StartOfTurn", 0, "a table"), sequence_id=1),
            frame("Update", 0, "a table for"),
            SdkObject(extras={**frame("EndOfTurn", 0, "a table for two"), "end_of_turn_confidence": "0.9"}),
            None,
            {"type": "Warning", "code": "FORCE_END_TURN_NO_ACTIVE_TURN"},
            {"type": "FatalError", "code": "INTERNAL_SERVER_ERROR"},
            '{"type": "TurnInfo", "event": "EndOfTurn", "turn_index": "1", "transcript": "thanks"}',
        )
    )
    assert [signal.transcript for signal in signals if isinstance(signal, Commit)] == ["a table for two", "thanks"]
    assert session.notes[NoteKind.FLUX_WARNING] == 1
    assert session.notes[NoteKind.UNKNOWN_MESSAGE] == 1, "no message of Flux's is called FatalError on the wire"
    assert session.notes[NoteKind.MALFORMED_MESSAGE] == 1
    assert "TurnDropped" not in kinds(signals)
    assert isinstance(decode({"type": "FatalError"}), Unknown)
    assert isinstance(decode(SdkObject(**frame("Update", 0, "x"))), TurnInfo)
