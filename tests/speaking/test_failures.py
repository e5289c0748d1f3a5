"""What goes wrong in the ready-made `speak`: in the TTS, the chunks, the sink, the settings."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from tests.support.loudspeakers import WORD, Loudspeaker, PlaybackLog, make, run, voice
from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.speaking import ClockSink, Sound, speaker
from turnkit.testing import virtual_time


@pytest.mark.anyio
async def test_a_tts_that_fails_is_heard_out_first() -> None:
    """What was queued is played, no more is said to be heard than was, and then its error is raised as it is."""
    playback, sink = PlaybackLog(), Loudspeaker()

    async def failing(text: str) -> AsyncIterator[bytes | Sound]:
        async with aclosing(voice(timed=False)(text)) as synthesis:
            async for sound in synthesis:
                yield sound
                if "Second" in text:
                    raise RuntimeError("voice lost")

    with pytest.raises(RuntimeError, match="voice lost"):
        await run(make(failing, sink), playback, "First one. ", "Second sentence here. ", "Third.")
    assert playback.heard == "First one."
    assert len(sink.audio) == 3 * 500
    assert sink.played() == pytest.approx(3 * WORD, abs=0.002)
    assert "clear" not in sink.did


@pytest.mark.anyio
async def test_chunks_that_fail_are_heard_out_first() -> None:
    """The sentence that was cut off by it is not said."""
    playback, asked = PlaybackLog(), list[str]()
    with pytest.raises(RuntimeError, match="thought lost"):
        await run(
            make(voice(asked=asked), Loudspeaker()),
            playback,
            "A whole one. And a",
            " half",
            RuntimeError("thought lost"),
        )
    assert asked == ["A whole one."]
    assert playback.heard == "A whole one."


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["begin", "play", "played", "pause", "resume"])
async def test_a_sink_that_fails_is_silenced_at_once(method: str) -> None:
    """Its own error comes out, whichever of its methods it was."""
    playback, sink = PlaybackLog(), Loudspeaker()

    def fail(*_: object) -> Any:
        raise OSError("no sound card")

    async with anyio.create_task_group() as tasks:

        async def speaking() -> None:
            setattr(sink, method, fail)
            with pytest.raises(OSError, match="no sound card"):
                await run(make(voice(), sink), playback, "One two three four. " * 9)

        tasks.start_soon(speaking)
        await anyio.sleep(0.1)
        playback.hold()
        await anyio.sleep(0.1)
        playback.resume()
    assert anyio.current_time() - playback.began < 0.4
    if method != "begin":
        assert sink.did[-1] == "clear"


@pytest.mark.anyio
async def test_a_sink_that_cannot_be_cleared_says_so() -> None:
    """Also when the reply was interrupted, and nobody else would learn of it."""
    sink = Loudspeaker()

    def fail() -> None:
        raise OSError("line gone")

    sink.clear = fail  # type: ignore[method-assign]
    with pytest.raises(OSError, match="line gone"), anyio.move_on_after(0.3):
        await run(make(voice(), sink), PlaybackLog(), "One two three four.")


class Stuck(Loudspeaker):
    """A sink that, once paused, stays so."""

    def resume(self) -> None:
        """Does nothing."""


@pytest.mark.anyio
async def test_a_clock_that_stands_still_is_no_clock() -> None:
    """Not while the playback is held; else the reply would never end, and never fail."""
    playback, sink = PlaybackLog(), Stuck()
    async with anyio.create_task_group() as tasks:

        async def speaking() -> None:
            with pytest.raises(
                LocalProtocolError, match=r"played\(\) of the sink has stood at 0\.100 s for 3\.\d s with"
            ):
                await run(make(voice(), sink, stall_timeout=3.0), playback, "One two")

        tasks.start_soon(speaking)
        await anyio.sleep(0.1)
        playback.hold()
        await anyio.sleep(60)
        playback.resume()
        began = anyio.current_time()
    assert anyio.current_time() - began == pytest.approx(3.0, abs=0.11)


@pytest.mark.anyio
async def test_a_tts_that_yields_no_sound_is_named() -> None:
    """By the type of what it yields, not by what that says."""

    async def texting(text: str) -> AsyncIterator[Any]:
        yield bytearray(100)
        yield "secret"

    with pytest.raises(LocalProtocolError, match="the TTS yielded str; must be bytes or Sound") as caught:
        await run(make(texting, Loudspeaker()), PlaybackLog(), "Hi")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(Sound(b"secret", [("secret", 0, 1)]))


@pytest.mark.parametrize(
    ("setting", "rule"),
    [
        ({"sample_rate": 0}, "sample_rate=0: must be a whole number"),
        ({"sample_width": 1.5}, "sample_width=1.5: must be a whole number"),
        ({"ahead": 0}, "ahead=0: must be a positive number of seconds"),
        ({"interval": -1}, "interval=-1: must be a positive"),
        ({"stall_timeout": float("nan")}, "stall_timeout=nan: must be a positive"),
        ({"patience": -0.1}, "patience=-0.1: must be a number of seconds, 0 or more"),
        ({"rate": 0}, "rate=0: must be a positive number of characters per second"),
    ],
)
def test_settings_are_checked(setting: dict[str, Any], rule: str) -> None:
    """Before anything is said; the error names the setting, its value and the rule."""

    async def tts(text: str) -> Any:
        raise AssertionError

    with pytest.raises(ConfigError, match=re.escape(rule)):
        speaker(tts, ClockSink(), **setting)


@pytest.mark.parametrize("setting", [{"sample_rate": 0}, {"sample_width": -2}])
def test_a_silent_sink_needs_a_rate(setting: dict[str, int]) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigError, match=f"{next(iter(setting))}=.*: must be a whole number, 1 or more"):
        ClockSink(**setting)


async def whole(text: str) -> bytes:
    return b"\0" * 500


@pytest.mark.anyio
@pytest.mark.parametrize("tts", [whole, lambda text: b"\0" * 500])
async def test_a_tts_that_returns_its_sound_is_told_to_yield_it(tts: Any) -> None:
    """Async or not; it is the TTS that is named, not a line of the speaker's."""
    with pytest.raises(LocalProtocolError, match=r"^the TTS gave bytes; must be an async iterable of bytes or Sound"):
        await run(make(tts, Loudspeaker()), PlaybackLog(), "Hello.")


class Raised(BaseException):
    """What a client raises that is no Exception."""


@pytest.mark.anyio
@pytest.mark.parametrize("error", [asyncio.CancelledError(), Raised()], ids=["CancelledError", "BaseException"])
@pytest.mark.parametrize("where", ["tts", "filter", "played"])
async def test_a_cancellation_that_nobody_asked_for_is_a_failure(where: str, error: BaseException) -> None:
    """A task of the TTS's client was cancelled, not the reply: it is heard out, and the very error comes out."""
    playback, sink = PlaybackLog(), Loudspeaker()
    calls: list[str] = []

    def strike(*_: object) -> Any:
        calls.append(where)
        if len(calls) == 2:
            raise error
        return *_, 0.0

    async def tts(text: str) -> AsyncIterator[bytes | Sound]:
        async with aclosing(voice(timed=False)(text)) as synthesis:
            async for sound in synthesis:
                yield sound
        if where == "tts":
            strike()

    if where == "played":
        setattr(sink, where, lambda: strike()[-1])
    text_filter = (lambda text: strike(text)[0]) if where == "filter" else None
    with pytest.raises(type(error)) as caught:
        await run(make(tts, sink, text_filter=text_filter), playback, "First one. ", "Second sentence here.")
    assert caught.value is error
    assert playback.heard == {"tts": "First one. Second", "filter": "First one.", "played": ""}[where]
    assert ("clear" in sink.did) == (where == "played")


@pytest.mark.parametrize("how", ["scope", "task"])
def test_a_real_cancellation_passes(how: str) -> None:
    """By anyio's scopes or by Task.cancel, of which anyio knows nothing: the sink is silent, and nothing has failed."""
    sink = Loudspeaker()

    async def call() -> None:
        if how == "task":
            async with asyncio.timeout(0.3):
                await run(make(voice(), sink), PlaybackLog(), "One two three four. " * 9)
        with anyio.fail_after(0.3):
            await run(make(voice(), sink), PlaybackLog(), "One two three four. " * 9)

    backend, options = virtual_time("asyncio")
    with pytest.raises(TimeoutError):
        anyio.run(call, backend=backend, backend_options=options)
    assert "clear" in sink.did
