"""What Flux has been seen to do, or might: events that are odd, blank, late or doubled. The table is PAINS.md."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.frames import frame
from tests.support.kinds import kinds
from tests.support.refereed_call import RefereedCall
from tests.support.sessions import listen, script, turn
from turnkit.session import Session
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
    StartOfTurn,
    TurnDropped,
    TurnResumed,
    TurnStalled,
    TurnStarted,
    TurnUpdated,
    Update,
    UserIdle,
)
from turnkit.turns.policy import HoldThenDecide, MinWords
from turnkit.wire import TurnInfo, Unknown, decode, to_event

pytestmark = pytest.mark.anyio


def test_hazard_b_words_before_the_start_of_their_turn_start_none_and_are_not_lost() -> None:
    """An Update with "We" at 0.72 s of audio, the StartOfTurn with "We, the" at 0.96 s: seen in a recorded session.

    The Update begins no turn; if the StartOfTurn should come without words, it has those.
    """
    for started in ("We, the", ""):
        call = RefereedCall()
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
    call = RefereedCall(barge_in=MinWords(2))
    call.talk()
    for step in range(6):
        call.play(Update(1, "please wait", audio_end=1.0 + 0.24 * step), 0.24)
    assert [note.kind for note in call.of(Note)] == [NoteKind.MISSING_START]
    assert len(call.of(BargeIn)) == 1
    call.play(10.0)
    assert [(commit.transcript, commit.trigger) for commit in call.of(Commit)[1:]] == [("please wait", "stalled")]


def test_hazard_n_eager_ends_and_ends_without_words_mean_nothing_was_said() -> None:
    """Both contradict the documentation, and clients guard against them.

    https://github.com/bolna-ai/bolna/blob/03d0327170c06faa000765b446a674ea1276ff40/bolna/transcriber/deepgram_transcriber.py
    - a blank eager end is noted; a blank end takes the draft along, drops the turn, and the index moves on.
    """
    call = RefereedCall()
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
    call = RefereedCall(barge_in=HoldThenDecide(MinWords(2)))
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
    call = RefereedCall(barge_in=HoldThenDecide(MinWords(1)))
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
        call = RefereedCall(idle_timeout=5.0)
        for _ in range(round(12 / period)):
            call.play(Update(0, "", 0.6), period)
        assert [idle.at for idle in call.of(UserIdle)] == pytest.approx([5.0, 10.0]), period
        call = RefereedCall()
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


def test_hazard_v_a_late_resume_does_not_touch_the_reply_of_a_turn_that_is_over() -> None:
    """TurnResumed handled after the EndOfTurn of the same turn cancelled the committed reply: reported from production.

    https://developers.deepgram.com/docs/flux/voice-agent-eager-eot - it takes back a draft, and nothing else.
    """
    call = RefereedCall()
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
    call = RefereedCall()
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
    call = RefereedCall()
    call.play(StartOfTurn(0, "pay"), EndOfTurn(0, "pay"), EndOfTurn(0, "pay"), 0.5, EndOfTurn(0, "pay twenty"))
    call.play(PlaybackStarted(0), 1.0, EndOfTurn(0, "pay"), PlaybackFinished(0), EndOfTurn(0, "pay"))
    assert len(call.of(Commit)) == 1
    assert len(call.of(Note)) == 4


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
