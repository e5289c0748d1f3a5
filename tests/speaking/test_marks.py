"""Marks between the chunks of a reply: what came before is said at once, and told when it has been heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from tests.support.loudspeakers import RATE, SAID, WORD, Loudspeaker, PlaybackLog, Reply, Step, at, make, say, voice
from turnkit.errors import LocalProtocolError
from turnkit.speaking import Speak


class Flag:
    """A mark that notes in the log of the playback when it is told."""

    def __init__(self, name: str, playback: PlaybackLog) -> None:
        self._name = name
        self._playback = playback

    def heard(self) -> None:
        self._playback.advance(self._name)


class Marked:
    """Chunks with marks: `|` and what follows it is the name of one."""

    def __init__(self, playback: PlaybackLog, *steps: Step) -> None:
        self._playback = playback
        self._steps = steps

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        raise AssertionError("asked for marks, and yet iterated over without")

    async def with_marks(self) -> AsyncIterator[str | bytes | Flag]:
        async with aclosing(say(*self._steps)) as chunks:
            async for chunk in chunks:
                is_mark = isinstance(chunk, str) and chunk.startswith("|")
                yield Flag(str(chunk), self._playback) if is_mark else chunk


async def run_marked(speak: Speak, playback: PlaybackLog, *steps: Step) -> None:
    """Speak these chunks and marks to the end."""
    chunks: Any = Marked(playback, *steps)
    await speak(Reply(), chunks, playback)


@pytest.mark.anyio
@pytest.mark.parametrize("sentence", [True, False])
async def test_a_mark_sends_off_what_came_before_it(sentence: bool) -> None:
    """Also without an end of sentence; it is told at the last sound, after the last word."""
    playback, asked = PlaybackLog(), list[str]()
    speak = make(voice(asked=asked), Loudspeaker(), sentence=sentence)
    await run_marked(speak, playback, "Let me see: 3.", "|one", 5.0, "Found it")
    assert asked == ["Let me see: 3.", "Found it"]
    assert playback.log == at(
        [
            (0.01, "<started>"),
            (SAID, "Let"),
            (WORD + SAID, "Let me"),
            (2 * WORD + SAID, "Let me see:"),
            (3 * WORD + SAID, "Let me see: 3."),
            (4 * WORD, "|one"),
            (5 + SAID, "Let me see: 3.Found"),
            (5 + WORD + SAID, "Let me see: 3.Found it"),
        ]
    )


@pytest.mark.anyio
async def test_a_mark_behind_nothing_is_told_at_once() -> None:
    """At the beginning, after one that was told, and alone."""
    playback = PlaybackLog()
    await run_marked(make(voice(), Loudspeaker()), playback, "|first", "|second", 2.0, "Hi.", 4.0, "|third", "|last")
    told = {text: seconds for seconds, text in playback.log if text.startswith("|")}
    assert list(told) == ["|first", "|second", "|third", "|last"]
    assert list(told.values()) == pytest.approx([0.0, 0.0, 6.0, 6.0], abs=0.06)
    playback = PlaybackLog()
    await run_marked(make(voice(), Loudspeaker()), playback, "|alone")
    assert playback.log == at([(0.0, "|alone")])


@pytest.mark.anyio
async def test_a_mark_behind_audio_is_told_when_it_was_played() -> None:
    """By the clock of the sink, which stands still while the playback is held."""
    playback = PlaybackLog()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            run_marked, make(voice(), Loudspeaker(), ahead=9.0), playback, bytes(2 * RATE), "|bell", bytes(2 * RATE)
        )
        await anyio.sleep(0.5)
        playback.hold()
        await anyio.sleep(30)
        playback.resume()
    assert playback.log == at([(0.01, "<started>"), (31.0, "|bell")])


@pytest.mark.anyio
@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("sentence", [True, False])
async def test_all_before_a_mark_is_heard_when_it_is_told(timed: bool, sentence: bool) -> None:
    """With times of words and without, whatever the audio ends in; each is told once, in order."""
    playback = PlaybackLog()
    steps = [step for name in "abc" for step in (f"One two {name}", f"|{name}")]
    await run_marked(make(voice(timed=timed), Loudspeaker(), sentence=sentence), playback, *steps)
    told = [text for _, text in playback.log]
    assert [text for text in told if text.startswith("|")] == ["|a", "|b", "|c"]
    for name in "abc":
        assert told[told.index(f"|{name}") - 1].endswith(f"two {name}")
    when = [seconds for seconds, text in playback.log if text.startswith("|")]
    assert when == pytest.approx([3 * WORD, 6 * WORD, 9 * WORD], abs=0.002)


class Short(Loudspeaker):
    """A sink whose clock comes half a millisecond short of what was queued."""

    def played(self) -> float:
        return max(min(super().played(), self._queued - 0.0005), 0.0)


@pytest.mark.anyio
async def test_a_clock_may_come_short_at_a_mark() -> None:
    """By as little as it may at the end: the mark is told, and all before it is heard first."""
    playback = PlaybackLog()
    with anyio.fail_after(60):
        steps: list[Step] = [bytes(RATE), "|bell", 2.0, "One", "|one", 9.0]
        await run_marked(make(voice(timed=False), Short(), ahead=0.3), playback, *steps)
    assert [text for _, text in playback.log if text != "<started>"] == ["|bell", "One", "|one"]


@pytest.mark.anyio
@pytest.mark.parametrize("moment", [0.0, 0.2, 0.49, 0.5, 0.51])
async def test_no_mark_is_told_after_an_interruption(moment: float) -> None:
    """Whether it came before or after; one whose sound was over by then was told."""
    playback = PlaybackLog()
    with anyio.move_on_after(moment):
        await run_marked(make(voice(), Loudspeaker()), playback, "One two", "|heard", "three four", "|cut")
    marks = [text for _, text in playback.log if text.startswith("|")]
    assert marks == ["|heard"] if moment > 0.5 else marks in ([], ["|heard"][: moment == 0.5])
    await anyio.sleep(10)
    assert [text for _, text in playback.log if text.startswith("|")] == marks


@pytest.mark.anyio
async def test_a_mark_before_a_failure_is_told() -> None:
    """What was said before it is heard out, and so is it."""
    playback = PlaybackLog()
    with pytest.raises(RuntimeError, match="thought lost"):
        await run_marked(make(voice(), Loudspeaker()), playback, "One two", "|one", RuntimeError("thought lost"))
    assert [text for _, text in playback.log] == ["<started>", "One", "One two", "|one"]


@pytest.mark.anyio
async def test_a_mark_behind_words_without_a_sound_is_told() -> None:
    """There is nothing to wait for."""
    playback = PlaybackLog()

    async def mute(text: str) -> AsyncIterator[bytes]:
        for _ in range(0):
            yield b""

    with pytest.raises(LocalProtocolError):
        await run_marked(make(mute, Loudspeaker()), playback, "One two", "|one")
    assert playback.log == at([(0.0, "|one")])
