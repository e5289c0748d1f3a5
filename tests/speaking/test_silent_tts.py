"""A TTS that gives no audio: what had no sound was not heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.loudspeakers import RATE, WORD, Loudspeaker, PlaybackLog, at, make, run, voice
from tests.support.sessions import outcomes, script, turn
from turnkit.errors import LocalProtocolError
from turnkit.session import Reply, Session
from turnkit.speaking import TTS, Sound, TextFilter, speakable

pytestmark = pytest.mark.anyio


def mute_at(*mute: str, timed: bool, audio: bytes = b"") -> TTS:
    """A TTS that has nothing for texts with these words but this audio, and the times of a voice that spoke."""
    speaking = voice(timed=timed)

    async def tts(text: str) -> AsyncIterator[bytes | Sound]:
        if any(word in text for word in mute):
            yield Sound(audio, [(word, 0.0, 0.1) for word in text.split()]) if timed else audio
            return
        async for sound in speaking(text):
            yield sound

    return tts


@pytest.mark.parametrize("timed", [True, False])
async def test_a_reply_without_a_sound_fails(timed: bool) -> None:
    """The error names the TTS and what it did not do, and quotes nobody."""
    playback = PlaybackLog()
    with pytest.raises(
        LocalProtocolError, match=r"the TTS mute_at\.<locals>\.tts gave no audio for a text with words"
    ) as caught:
        await run(make(mute_at("secret", timed=timed), Loudspeaker()), playback, "A secret. ", "Another secret!")
    assert "secret" not in str(caught.value)
    assert playback.log == []


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("sentence", ["One two.", "Three.", "Four five."])
async def test_a_sentence_without_a_sound_was_not_heard(timed: bool, sentence: str) -> None:
    """The others were, and the log has a line about it, without its words."""
    playback, sentences = PlaybackLog(), ["One two.", "Three.", "Four five."]
    with capture_logs() as entries:
        await run(make(mute_at(sentence, timed=timed), Loudspeaker()), playback, " ".join(sentences))
    assert playback.heard.split() == " ".join(text for text in sentences if text != sentence).split()
    assert entries == [
        {
            "event": "tts_gave_no_audio",
            "log_level": "warning",
            "tts": "mute_at.<locals>.tts",
            "reply": 0,
            "characters": len(sentence) + (sentence != sentences[0]),
        }
    ]


async def test_less_than_a_sample_is_no_sound() -> None:
    """A byte of two cannot be played."""
    with pytest.raises(LocalProtocolError, match="gave no audio"):
        await run(make(mute_at("One", timed=False, audio=b"\1"), Loudspeaker()), PlaybackLog(), "One.")


async def test_audio_of_the_replys_own_is_no_voice() -> None:
    """The bell is heard; that none of the words was is still a failure."""
    playback, sink = PlaybackLog(), Loudspeaker()
    with pytest.raises(LocalProtocolError, match="gave no audio"):
        await run(make(mute_at("One", timed=False), sink), playback, bytes(2 * RATE), "One.")
    assert len(sink.audio) == 2 * RATE
    assert playback.log == at([(0.01, "<started>")])


async def test_audio_that_ends_early_is_a_sound() -> None:
    """A voice may be quicker than was reckoned, or cut its last words off: nobody can tell."""
    playback = PlaybackLog()
    await run(make(mute_at("One", timed=False, audio=bytes(200)), Loudspeaker()), playback, "One two three four.")
    assert playback.heard == "One two three four."


@pytest.mark.parametrize("text_filter", [None, speakable])
async def test_what_has_no_words_needs_no_sound(text_filter: TextFilter | None) -> None:
    """Marks, a pause in SSML, and emoji, whether or not a filter leaves them out."""
    playback = PlaybackLog()
    chunks = ["... ", '<break time="1s"/>', "\n", "😀"]
    speak = make(mute_at("break", "😀", timed=False), Loudspeaker(), text_filter=text_filter)
    await run(speak, playback, *chunks)
    assert playback.log == []


async def test_a_pause_is_no_voice() -> None:
    """The TTS has made the pause, and none of the words."""
    with pytest.raises(LocalProtocolError, match="gave no audio"):
        await run(make(mute_at("One", timed=False), Loudspeaker()), PlaybackLog(), '<break time="1s"/>\n', "One.")


@pytest.mark.parametrize(
    ("mute", "end"), [(["One", "Two"], (0, "failed", "")), (["Two"], (0, "finished", "One. Three."))]
)
async def test_a_session_learns_what_had_no_sound(mute: list[str], end: tuple[int, str, str]) -> None:
    """A whole reply has failed; one sentence is missing from what the history says was heard."""

    async def respond(reply: Reply) -> Any:
        await reply.say("One. Two." if len(mute) == 2 else "One. Two. Three.")

    session = Session(respond=respond, speak=make(mute_at(*mute, timed=True), Loudspeaker()))
    ends = outcomes(session)
    await session.run(script(*turn(0, "hello"), 4 * WORD))
    assert ends == [end]
    assert [said["content"] for said in session.history if said["role"] == "assistant"] == [end[2]] * bool(end[2])
