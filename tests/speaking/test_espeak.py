"""The voice of espeak-ng: its times against its sound, what of it was heard, and one library for many calls."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from array import array
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from math import sqrt
from typing import Any

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.loudspeakers import PlaybackLog, run
from turnkit import ConfigError, LocalProtocolError
from turnkit.speaking import ClockSink, Sound, Timeline, espeak_library, speaker
from turnkit.speaking.espeak import EspeakVoice, languages
from turnkit.speaking.espeak_library import THREAD

TEXT = "Good evening, Chez Rosa. The table for 4 costs $12.50, well-known; cats, stop, and Mr. Smith's 2024."
QUIET, LOUD = 40.0, 150.0  # root mean squares of 16-bit samples
NEARLY = 6000  # bytes: espeak throws dice for the waves, and a text is never the same to the sample


async def said(voice: EspeakVoice, text: str) -> tuple[bytes, list[tuple[str, float, float]]]:
    audio, words = bytearray(), list[tuple[str, float, float]]()
    async for sound in voice(text):
        audio += sound.audio
        words += sound.words
    return bytes(audio), words


def said_now(text: str, **settings: Any) -> tuple[bytes, list[tuple[str, float, float]]]:
    return anyio.run(said, EspeakVoice(**settings), text)


def is_like(
    one: tuple[bytes, list[tuple[str, float, float]]], other: tuple[bytes, list[tuple[str, float, float]]]
) -> bool:
    """Whether the same was said in the same way."""
    (audio, words), (others_audio, others_words) = one, other
    return (
        abs(len(audio) - len(others_audio)) <= NEARLY
        and [word for word, _, _ in words] == [word for word, _, _ in others_words]
        and all(abs(a[1] - b[1]) < 0.06 and abs(a[2] - b[2]) < 0.06 for a, b in zip(words, others_words, strict=True))
    )


def loudness(audio: bytes, rate: int, start: float, end: float) -> float:
    samples = array("h", audio)[round(start * rate) : round(end * rate)]
    return sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


@pytest.mark.parametrize("rate", [22050, 8000, 16000, 24000])
@pytest.mark.parametrize("speed", [100, 170, 400])
def test_the_times_of_words_are_those_of_the_sound(rate: int, speed: int) -> None:
    """Each word sounds where it is said to, and between a word and the next one after a pause there is silence."""
    audio, words = said_now(TEXT, sample_rate=rate, words_per_minute=speed)
    assert "".join(word for word, _, _ in words) == TEXT
    assert [word.strip() for word, _, _ in words][4:9] == ["The", "table", "for", "4", "costs"]
    for _, start, end in words:
        assert loudness(audio, rate, start, end) > LOUD
    gaps = [(end, start) for (_, _, end), (_, start, _) in pairwise(words) if start - end > 0.02]
    assert len(gaps) >= (1 if speed == 400 else 4)  # after "evening", "Rosa", "12.50", "well-known", …
    for end, start in gaps:
        assert loudness(audio, rate, end + 0.008, start - 0.008) < QUIET
        assert loudness(audio, rate, end - 0.06, end) > QUIET
    seconds = len(audio) / 2 / rate
    assert seconds == pytest.approx(words[-1][2] + 0.2, abs=0.03)  # with the pause after it


def test_a_pause_of_another_length() -> None:
    """What follows the text is as long as it was asked to be."""
    (short, _), (long, _) = (said_now("Yes.", pause=pause) for pause in (0.0, 1.5))
    assert len(long) - len(short) == pytest.approx(2 * 1.5 * 22050, abs=NEARLY)
    assert any(short[-1000:])
    assert not any(long[-2 * round(1.45 * 22050) :])


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
        | st.sampled_from(
            ["table,", "3.5", "$4", "Dr.", "…", "東京", "no!", "☕", "naïve", "well-known", "[[x]]", "<b>"]
        ),
        max_size=8,
    ).map(" ".join),
    st.floats(0, 8),
)
@settings(max_examples=100, deadline=None)
def test_any_text(text: str, second: float) -> None:
    """Words come in order, within the audio, and cut at any second, what was heard is some of the first of them."""
    audio, words = said_now(text)
    seconds = len(audio) / 2 / 22050
    last = 0.0
    for _, start, end in words:
        assert last <= start <= end <= seconds
        last = end
    if words:
        assert len("".join(word for word, _, _ in words)) == len(text)
    timeline = Timeline()
    timeline.add(text, words=words, seconds=seconds)
    heard = timeline.heard(second)
    assert text.startswith(heard)
    assert len(heard.split()) <= len(text.split())
    told = "".join(word for word, _, end in words if end <= second)
    assert len(letters(heard)) >= len(letters(told))


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))


def test_heard_at_each_word() -> None:
    """Just before the end of a word it was not heard, and just after it was: with numbers and signs too."""
    audio, words = said_now(TEXT)
    timeline = Timeline()
    timeline.add(TEXT, words=words, seconds=len(audio) / 2 / 22050)
    for count, (_, _, end) in enumerate(words, 1):
        so_far = "".join(word for word, _, _ in words[:count]).rstrip()
        assert timeline.heard(end) == so_far
        assert len(timeline.heard(end - 0.005)) < len(so_far)


@pytest.mark.anyio
@pytest.mark.parametrize("stop", [0.05, 0.7, 1.4, 2.2, 3.3])
async def test_what_was_heard_of_an_interrupted_reply(stop: float) -> None:
    """Exactly the words whose sound was over: the sink's clock, and the times that the sound itself has."""
    ends: list[tuple[str, float]] = []
    begun = 0.0

    async def noted(text: str) -> AsyncIterator[Sound]:
        nonlocal begun
        length = 0
        async for sound in EspeakVoice()(text):
            ends.extend((word.strip(), begun + end) for word, _, end in sound.words)
            length += len(sound.audio)
            yield sound
        begun += length / 44100

    text = "Good evening, the table for 4 costs 12 euros. Until then."
    playback, sink = PlaybackLog(), ClockSink(sample_rate=22050)
    with anyio.move_on_after(stop):
        await run(speaker(noted, sink, sample_rate=22050, interval=0.01), playback, text)
    heard = [text for _, text in playback.log if text != "<started>"]
    begun_at = next((at for at, text in playback.log if text == "<started>"), 0.0)
    surely, possibly = (
        " ".join(word for word, end in ends if end <= stop - late) for late in (begun_at + 0.011, begun_at - 0.011)
    )
    assert (heard[-1] if heard else "") in (surely, possibly)
    assert bool(heard) == (stop > 0.5)


@pytest.mark.anyio
async def test_breaking_off() -> None:
    """What nobody wants any more is not synthesised, and the next text is said as if nothing had been."""
    voice = EspeakVoice()
    whole = await said(voice, "Yes, please.")
    long = "and another thing, " * 2000
    async with aclosing(_generator(voice, long)) as sounds:
        first = await anext(sounds)
        assert 0 < len(first.audio) < 44100 * 60  # of half an hour, however quick the library is
    assert is_like(await said(voice, "Yes, please."), whole)
    with anyio.move_on_after(0):
        await said(voice, long)
    assert is_like(await said(voice, "Yes, please."), whole)


def _generator(voice: EspeakVoice, text: str) -> AsyncGenerator[Sound, None]:
    sounds = voice(text)
    assert isinstance(sounds, AsyncGenerator)
    return sounds


def test_synthesis_is_broken_off_in_the_middle() -> None:
    """The library itself stops at the next piece, in the middle of a sentence without an end."""
    taken: list[int] = []

    def take(audio: bytes, boundaries: object) -> bool:
        taken.append(len(audio))
        return len(taken) < 3

    manner = espeak_library.Manner("en-us", 170, 50)
    THREAD.run(lambda library: library.synthesise("word " * 1000, manner, take))
    assert len(taken) == 3
    assert sum(taken) < 44100


@pytest.mark.anyio
async def test_many_calls_share_the_library() -> None:
    """Languages, speeds and rates side by side: each gets what it would get alone."""
    kinds: list[dict[str, Any]] = [
        {"language": "en-us"},
        {"language": "de", "words_per_minute": 300},
        {"language": "fr", "pitch": 90, "sample_rate": 8000},
        {"language": "en-gb+f3", "sample_rate": 16000},
    ]
    voices = [EspeakVoice(**kind) for kind in kinds]
    alone = [await said(voice, "Table 4, please.") for voice in voices]
    assert len({audio for audio, _ in alone}) == len(kinds)
    together: list[tuple[int, Any]] = []

    async def one(number: int) -> None:
        together.append((number, await said(voices[number % 4], "Table 4, please.")))

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(one, number)
    assert len(together) == 20
    assert all(is_like(got, alone[number % 4]) for number, got in together)


def test_calls_in_threads() -> None:
    """Loops of their own, in threads of their own, with one voice."""
    voice = EspeakVoice("de")
    alone = anyio.run(said, voice, "Guten Abend.")
    got: list[Any] = []
    threads = [threading.Thread(target=lambda: got.append(anyio.run(said, voice, "Guten Abend."))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == 4
    assert all(is_like(one, alone) for one in got)


def test_the_loop_goes_on_meanwhile() -> None:
    """The library's thread is held up, and the loop goes on: it is the loop that lets it go."""
    free = threading.Event()

    async def test() -> None:
        THREAD.begin(lambda library: free.wait(60))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(said, EspeakVoice(), "Yes.")
            await anyio.wait_all_tasks_blocked()
            free.set()

    with_bound = anyio.run(_bounded, test)
    assert with_bound


async def _bounded(test: Any) -> bool:
    with anyio.fail_after(60):
        await test()
    return True


def test_in_a_process_that_was_forked() -> None:
    """The child has a thread of its own, and speaks."""
    code = """if True:
        import anyio, os
        from turnkit.speaking.espeak import EspeakVoice
        async def said():
            return sum([len(sound.audio) async for sound in EspeakVoice()("Yes.")])
        anyio.run(said)
        child = os.fork()
        if not child:
            os._exit(0 if anyio.run(said) > 1000 else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("0", "")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"sample_rate": 4000}, "sample_rate=4000: must be a whole number, 8000 to 48000"),
        ({"sample_rate": 16000.0}, "sample_rate=16000.0: must be a whole number"),
        ({"words_per_minute": 500}, "words_per_minute=500: must be a whole number, 80 to 450"),
        ({"pitch": -1}, "pitch=-1: must be a whole number, 0 to 100"),
        ({"pause": -0.1}, "pause=-0.1"),
        ({"language": ""}, "language=''"),
        ({"language": "de+nobody"}, "language='de+nobody': what follows the + must be one of Alex"),
        ({"language": "klingonese"}, "language='klingonese': espeak-ng does not speak it; must be one of af, am, an"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        EspeakVoice(**settings)
    assert told in str(raised.value)


def test_languages() -> None:
    """Each of the names that it tells is one that it takes."""
    names = languages()
    assert {"de", "en-us", "en-gb", "es", "fr", "cmn", "ja"} <= set(names)
    for name in names:
        EspeakVoice(name)


def test_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says what to install: neither the package nor the system has it."""
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    monkeypatch.setattr(espeak_library, "find_library", lambda name: None)
    monkeypatch.setattr(ctypes, "CDLL", _raise_os_error)
    with pytest.raises(ImportError, match=r"pip install 'turnkit\[voice\]'.*apt-get install libespeak-ng1") as raised:
        espeak_library.Library()
    assert "\n" not in str(raised.value)


def _raise_os_error(name: object) -> object:
    raise OSError(name)


def test_what_take_raises_is_raised() -> None:
    """Not lost in the library's own code, and the library goes on."""

    def take(audio: bytes, boundaries: object) -> bool:
        raise LocalProtocolError("no more")

    manner = espeak_library.Manner("en-us", 170, 50)
    with pytest.raises(LocalProtocolError, match="no more"):
        THREAD.run(lambda library: library.synthesise("Yes.", manner, take))
    assert said_now("Yes.")[1]


def test_what_is_said_is_not_told() -> None:
    """By the voice itself, to whoever prints it."""
    assert repr(EspeakVoice("de")) == "EspeakVoice('de', sample_rate=22050)"
