"""The ready-made `speak` tells what is heard when it is heard."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from tests.support.loudspeakers import RATE, SAID, WORD, Loudspeaker, PlaybackLog, at, make, run, voice
from turnkit.speaking import Sound


@pytest.mark.anyio
async def test_words_are_reported_as_they_are_heard() -> None:
    """To the moment, with word timings; the first sound within a hundredth of a second."""
    playback, sink = PlaybackLog(), Loudspeaker()
    await run(make(voice(0.5), sink), playback, "Hello there", ", friend. How ", "are you?")
    assert playback.log == at(
        [
            (0.51, "<started>"),
            (0.7, "Hello"),
            (0.95, "Hello there,"),
            (1.2, "Hello there, friend."),
            (1.45, "Hello there, friend. How"),
            (1.7, "Hello there, friend. How are"),
            (1.95, "Hello there, friend. How are you?"),
        ]
    )
    assert "clear" not in sink.did


@pytest.mark.anyio
async def test_the_return_is_the_last_sound() -> None:
    """Not the last word: the audio may end later; and all the text has then been heard, to its last white space."""
    playback = PlaybackLog()
    await run(make(voice(), Loudspeaker()), playback, "One two. \n")
    assert anyio.current_time() - playback.began == pytest.approx(2 * WORD, abs=0.002)
    assert playback.heard == "One two. \n"


@pytest.mark.anyio
async def test_without_timings_words_are_reported_in_proportion() -> None:
    """An estimate, right at the ends: four characters of ten take four tenths of the time."""
    playback = PlaybackLog()
    await run(make(voice(timed=False), Loudspeaker()), playback, "four sixes")
    assert playback.log == at([(0.01, "<started>"), (0.2, "four"), (0.5, "four sixes")])


@pytest.mark.anyio
async def test_an_empty_reply_is_over_at_once() -> None:
    """No chunks, empty ones, and marks that no voice can say: no sound, nothing reported, the TTS not asked."""
    for steps in ((), ("", b"", ""), ("... ", "\n")):
        playback, asked = PlaybackLog(), list[str]()
        await run(make(voice(asked=asked), Loudspeaker()), playback, *steps)
        assert (playback.log, asked) == ([], [])


@pytest.mark.anyio
async def test_audio_goes_straight_to_the_sink() -> None:
    """Between texts, in order; text before it is not held back for the rest of its sentence."""
    playback, sink, asked = PlaybackLog(), Loudspeaker(), list[str]()
    bell = b"\1\2" * RATE
    await run(make(voice(asked=asked), sink), playback, "Listen:", bell, " that was it")
    word = bytes(500)
    assert sink.audio == word + bell + word * 3
    assert asked == ["Listen:", "that was it"]
    assert [text for _, text in playback.log] == [
        "<started>",
        "Listen:",
        "Listen: that",
        "Listen: that was",
        "Listen: that was it",
    ]
    assert playback.log[2][0] == pytest.approx(WORD + 1 + SAID, abs=1e-5)


@pytest.mark.anyio
async def test_audio_alone_is_started_and_never_heard_as_text() -> None:
    """Also where it is cut within a sample, as a network cuts; what of a sample is missing at the end is dropped."""
    playback, sink = PlaybackLog(), Loudspeaker()
    await run(make(voice(), sink), playback, b"\1", b"\2\1", b"\2" * 400, b"")
    assert sink.audio == b"\1\2\1" + b"\2" * 399
    assert [text for _, text in playback.log] == ["<started>"]
    assert all(len(sink.audio) % 2 == 0 for _ in sink.did)


@pytest.mark.anyio
async def test_the_tts_may_be_an_async_function() -> None:
    """One that opens a connection, say, and returns an iterator over its audio."""
    playback, inner = PlaybackLog(), voice()

    async def tts(text: str) -> AsyncIterator[bytes | Sound]:
        await anyio.sleep(1)
        return inner(text)

    await run(make(tts, Loudspeaker()), playback, "Hi!")
    assert playback.log == at([(1.01, "<started>"), (1.2, "Hi!")])


class Tape:
    """An async iterator that is no generator: there is nothing to close."""

    def __init__(self) -> None:
        self._left = 2

    def __aiter__(self) -> Tape:
        return self

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return bytes(400)


@pytest.mark.anyio
async def test_the_tts_may_give_any_async_iterator() -> None:
    """All that is asked of it is to be iterated over."""
    playback = PlaybackLog()
    await run(make(lambda text: Tape(), Loudspeaker()), playback, "four sixes")
    assert [text for _, text in playback.log] == ["<started>", "four", "four sixes"]


@pytest.mark.anyio
async def test_what_was_told_is_not_taken_back() -> None:
    """A chunk turns out to be the beginning of a word only when it has been heard."""
    playback = PlaybackLog()
    await run(make(voice(), Loudspeaker(), sentence=False), playback, "So he", 2.0, "lps")
    assert [text for _, text in playback.log] == ["<started>", "So", "So he", "So helps"]
