"""When the ready-made `speak` gives its TTS what to say."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from tests.support.loudspeakers import SAID, WORD, Loudspeaker, PlaybackLog, Reply, Step, at, make, run, voice


@pytest.mark.anyio
async def test_the_tts_gets_sentences() -> None:
    """The first may be a clause; with `sentence` off it gets each chunk."""
    chunks = ["Well, that is ", "a thing", ", Mr. Smith", ". It costs 3", ".5 ", "euros", ". OK", "?"]
    asked: list[str] = []
    await run(make(voice(asked=asked), Loudspeaker()), PlaybackLog(), *chunks)
    assert asked == ["Well, that is a thing,", "Mr. Smith.", "It costs 3.5 euros.", "OK?"]
    asked.clear()
    await run(make(voice(asked=asked), Loudspeaker()), PlaybackLog(), "I am not sure, but", " I can look. Shall", " I?")
    assert asked == ["I am not sure,", "but I can look.", "Shall I?"]
    asked.clear()
    await run(
        make(voice(asked=asked), Loudspeaker()), PlaybackLog(), "Yes. It is", "", " rather late, but", " good. ", ""
    )
    assert asked == ["Yes.", "It is rather late, but good."]
    asked.clear()
    await run(make(voice(asked=asked), Loudspeaker(), sentence=False), PlaybackLog(), *chunks)
    assert asked == [chunk.strip() for chunk in chunks if re.search(r"\w", chunk)]


@pytest.mark.anyio
async def test_a_sentence_is_not_held_back_while_nothing_comes() -> None:
    """'One moment.', and then the reply looks something up: that is said meanwhile. Half a sentence is not."""
    playback, asked = PlaybackLog(), list[str]()
    speak = make(voice(asked=asked), Loudspeaker(), patience=0.2)
    await run(speak, playback, "One moment.", 5.0, " It", 1.0, " is late")
    assert asked == ["One moment.", "It is late"]
    assert [playback.log[0], playback.log[-1]] == at(
        [(0.21, "<started>"), (6 + 2 * WORD + SAID, "One moment. It is late")]
    )


@pytest.mark.anyio
async def test_no_chunk_is_lost_or_doubled_by_impatience() -> None:
    """Chunks that come just when the wait is given up."""
    for wait in (0.19, 0.2, 0.21):
        asked: list[str] = []
        steps: list[Step] = ["Yes.", wait] * 5
        await run(make(voice(asked=asked), Loudspeaker()), PlaybackLog(), *steps)
        assert "".join(asked).replace(" ", "") == "Yes." * 5


@pytest.mark.anyio
async def test_synthesis_keeps_its_distance() -> None:
    """Never more is queued than `ahead`, however large the pieces of audio; and the sound has no gap for it."""
    sink, playback = Loudspeaker(), PlaybackLog()

    async def hasty(text: str) -> AsyncIterator[bytes]:
        yield bytes(2000 * 7)

    await run(make(hasty, sink, ahead=1.0), playback, "One. ", "Two. ", "Three.")
    assert 0.9 <= sink.most <= 1.0 + 1e-6
    assert anyio.current_time() - playback.began == pytest.approx(21, abs=0.002)


@pytest.mark.anyio
async def test_the_reply_is_not_read_far_ahead() -> None:
    """What waits to be said holds up whoever says it: the chunks are not drained into a hidden buffer."""
    taken: list[float] = []

    async def chunks() -> AsyncIterator[str]:
        for _ in range(20):
            taken.append(anyio.current_time() - began)
            yield "One two three four. "

    began = anyio.current_time()
    await make(voice(), Loudspeaker(), ahead=1.0)(Reply(), chunks(), PlaybackLog())
    assert len([at for at in taken if at < 1.0]) <= 5
    assert taken[-1] > 14


@pytest.mark.anyio
async def test_a_slow_tts_is_not_taken_at_its_word() -> None:
    """Each word comes a second late and the sink runs dry between: nothing is reported before it is heard."""
    for timed in (True, False):
        playback = PlaybackLog()
        await run(make(voice(timed=timed, pace=1.0), Loudspeaker()), playback, "One two three four")
        ends = {text.split()[-1]: when for when, text in playback.log[1:]}
        began = {"One": 0.0, "two": 1.0, "three": 2.0, "four": 3.0}
        assert all(began[word] < when for word, when in ends.items())
        assert ends["four"] <= 4.0 + 0.05 + 1e-6
    assert ends.keys() <= began.keys()
