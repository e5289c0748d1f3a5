"""The ready-made `speak`: what is heard is told when it is heard, and after a barge-in there is no sound."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turnkit.errors import ConfigError, LocalProtocolError
from turnkit.speaking import TTS, ClockSink, Playback, Sound, Speak, sentences, speaker

RATE = 1000  # Hz, of 2 bytes: a second of sound is 2000 bytes
WORD = 0.25  # seconds
SAID = 0.2  # seconds of them are sound

Step: TypeAlias = str | bytes | float | Exception


class Reply:
    def __init__(self, id: int = 0) -> None:
        self.id = id


class Ear:
    """A session's side of the playback: keeps what is reported and when, in seconds since it was made."""

    def __init__(self) -> None:
        self.began = anyio.current_time()
        self.log: list[tuple[float, str]] = []
        self._held = anyio.Event()
        self._resumed = anyio.Event()
        self._resumed.set()

    @property
    def held(self) -> bool:
        return self._held.is_set()

    def started(self) -> None:
        self.log.append((self._now(), "<started>"))

    def advance(self, text: str) -> None:
        self.log.append((self._now(), text))

    async def wait_held(self) -> None:
        await self._held.wait()

    async def wait_resumed(self) -> None:
        await self._resumed.wait()

    def hold(self) -> None:
        self._resumed = anyio.Event()
        self._held.set()

    def resume(self) -> None:
        self._held = anyio.Event()
        self._resumed.set()

    def _now(self) -> float:
        return round(anyio.current_time() - self.began, 6)

    @property
    def heard(self) -> str:
        return self.log[-1][1] if self.log else ""


class Loudspeaker(ClockSink):
    """A ClockSink that keeps what was done to it, and how much was queued at most."""

    def __init__(self) -> None:
        super().__init__(sample_rate=RATE, sample_width=2)
        self.did: list[str] = []
        self.audio = b""
        self.most = 0.0

    def begin(self, reply: int) -> None:
        super().begin(reply)
        self.did = [*getattr(self, "did", []), f"begin {reply}"]

    async def play(self, audio: bytes) -> None:
        await super().play(audio)
        self.did.append("play")
        self.audio += audio
        self.most = max(self.most, self._queued - self.played())

    def pause(self) -> None:
        super().pause()
        self.did.append("pause")

    def resume(self) -> None:
        super().resume()
        self.did.append("resume")

    def clear(self) -> None:
        self.did.append("clear")
        super().clear()


def voice(
    latency: float = 0.0, *, timed: bool = True, pace: float = 0.0, asked: list[str] | None = None
) -> Callable[[str], AsyncGenerator[bytes | Sound, None]]:
    """A TTS: each word takes WORD seconds of audio; `latency` to the first of it and `pace` to each more, seconds."""

    async def tts(text: str) -> AsyncGenerator[bytes | Sound, None]:
        if asked is not None:
            asked.append(text)
        await anyio.sleep(latency)
        for count, word in enumerate(text.split()):
            audio = bytes(int(WORD * RATE * 2))
            at = count * WORD
            yield Sound(audio, [(word, at, at + SAID)]) if timed else audio
            await anyio.sleep(pace)

    return tts


async def say(*steps: Step) -> AsyncGenerator[str | bytes, None]:
    """Chunks of a reply; numbers are seconds to wait, errors are raised."""
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await anyio.sleep(step)
        else:
            yield step


async def run(speak: Speak, ear: Playback, *steps: Step, reply: int = 0) -> None:
    async with aclosing(say(*steps)) as chunks:
        await speak(Reply(reply), chunks, ear)


def make(tts: TTS, sink: Loudspeaker, **settings: Any) -> Speak:
    return speaker(tts, sink, sample_rate=RATE, **settings)


def at(log: list[tuple[float, str]]) -> object:
    return [(pytest.approx(seconds, abs=1e-5), text) for seconds, text in log]


# What is reported -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_words_are_reported_as_they_are_heard() -> None:
    """To the moment, with word timings; the first sound within a hundredth of a second."""
    ear, sink = Ear(), Loudspeaker()
    await run(make(voice(0.5), sink), ear, "Hello there", ", friend. How ", "are you?")
    assert ear.log == at(
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
    ear = Ear()
    await run(make(voice(), Loudspeaker()), ear, "One two. \n")
    assert anyio.current_time() - ear.began == pytest.approx(2 * WORD, abs=0.002)
    assert ear.heard == "One two. \n"


@pytest.mark.anyio
async def test_without_timings_words_are_reported_in_proportion() -> None:
    """An estimate, right at the ends: four characters of ten take four tenths of the time."""
    ear = Ear()
    await run(make(voice(timed=False), Loudspeaker()), ear, "four sixes")
    assert ear.log == at([(0.01, "<started>"), (0.2, "four"), (0.5, "four sixes")])


@pytest.mark.anyio
async def test_an_empty_reply_is_over_at_once() -> None:
    """No chunks, empty ones, and marks that no voice can say: no sound, nothing reported, the TTS not asked."""
    for steps in ((), ("", b"", ""), ("... ", "\n")):
        ear, asked = Ear(), list[str]()
        await run(make(voice(asked=asked), Loudspeaker()), ear, *steps)
        assert (ear.log, asked) == ([], [])


@pytest.mark.anyio
async def test_a_tts_without_a_sound_is_over_at_once() -> None:
    """Nothing was heard, whatever was to be said."""
    ear = Ear()

    async def mute(text: str) -> AsyncIterator[bytes]:
        for _ in range(0):
            yield b""

    await run(make(mute, Loudspeaker()), ear, "Hello. ", "You!")
    assert ear.log == []


@pytest.mark.anyio
async def test_audio_goes_straight_to_the_sink() -> None:
    """Between texts, in order; text before it is not held back for the rest of its sentence."""
    ear, sink, asked = Ear(), Loudspeaker(), list[str]()
    bell = b"\1\2" * RATE
    await run(make(voice(asked=asked), sink), ear, "Listen:", bell, " that was it")
    word = bytes(500)
    assert sink.audio == word + bell + word * 3
    assert asked == ["Listen:", "that was it"]
    assert [text for _, text in ear.log] == [
        "<started>",
        "Listen:",
        "Listen: that",
        "Listen: that was",
        "Listen: that was it",
    ]
    assert ear.log[2][0] == pytest.approx(WORD + 1 + SAID, abs=1e-5)


@pytest.mark.anyio
async def test_audio_alone_is_started_and_never_heard_as_text() -> None:
    """Also where it is cut within a sample, as a network cuts; what of a sample is missing at the end is dropped."""
    ear, sink = Ear(), Loudspeaker()
    await run(make(voice(), sink), ear, b"\1", b"\2\1", b"\2" * 400, b"")
    assert sink.audio == b"\1\2\1" + b"\2" * 399
    assert [text for _, text in ear.log] == ["<started>"]
    assert all(len(sink.audio) % 2 == 0 for _ in sink.did)


@pytest.mark.anyio
async def test_the_tts_may_be_an_async_function() -> None:
    """One that opens a connection, say, and returns an iterator over its audio."""
    ear, inner = Ear(), voice()

    async def tts(text: str) -> AsyncIterator[bytes | Sound]:
        await anyio.sleep(1)
        return inner(text)

    await run(make(tts, Loudspeaker()), ear, "Hi!")
    assert ear.log == at([(1.01, "<started>"), (1.2, "Hi!")])


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
    ear = Ear()
    await run(make(lambda text: Tape(), Loudspeaker()), ear, "four sixes")
    assert [text for _, text in ear.log] == ["<started>", "four", "four sixes"]


# When the TTS gets what ------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_tts_gets_sentences() -> None:
    """The first may be a clause; with `sentence` off it gets each chunk."""
    chunks = ["Well, that is ", "a thing", ", Mr. Smith", ". It costs 3", ".5 ", "euros", ". OK", "?"]
    asked: list[str] = []
    await run(make(voice(asked=asked), Loudspeaker()), Ear(), *chunks)
    assert asked == ["Well, that is a thing,", "Mr. Smith.", "It costs 3.5 euros.", "OK?"]
    asked.clear()
    await run(make(voice(asked=asked), Loudspeaker()), Ear(), "I am not sure, but", " I can look. Shall", " I?")
    assert asked == ["I am not sure,", "but I can look.", "Shall I?"]
    asked.clear()
    await run(make(voice(asked=asked), Loudspeaker()), Ear(), "Yes. It is", "", " rather late, but", " good. ", "")
    assert asked == ["Yes.", "It is rather late, but good."]
    asked.clear()
    await run(make(voice(asked=asked), Loudspeaker(), sentence=False), Ear(), *chunks)
    assert asked == [chunk.strip() for chunk in chunks if re.search(r"\w", chunk)]


@pytest.mark.anyio
async def test_a_sentence_is_not_held_back_while_nothing_comes() -> None:
    """'One moment.', and then the reply looks something up: that is said meanwhile. Half a sentence is not."""
    ear, asked = Ear(), list[str]()
    speak = make(voice(asked=asked), Loudspeaker(), patience=0.2)
    await run(speak, ear, "One moment.", 5.0, " It", 1.0, " is late")
    assert asked == ["One moment.", "It is late"]
    assert [ear.log[0], ear.log[-1]] == at([(0.21, "<started>"), (6 + 2 * WORD + SAID, "One moment. It is late")])


@pytest.mark.anyio
async def test_no_chunk_is_lost_or_doubled_by_impatience() -> None:
    """Chunks that come just when the wait is given up."""
    for wait in (0.19, 0.2, 0.21):
        asked: list[str] = []
        steps: list[Step] = ["Yes.", wait] * 5
        await run(make(voice(asked=asked), Loudspeaker()), Ear(), *steps)
        assert "".join(asked).replace(" ", "") == "Yes." * 5


@pytest.mark.anyio
async def test_synthesis_keeps_its_distance() -> None:
    """Never more is queued than `ahead`, however large the pieces of audio; and the sound has no gap for it."""
    sink, ear = Loudspeaker(), Ear()

    async def hasty(text: str) -> AsyncIterator[bytes]:
        yield bytes(2000 * 7)

    await run(make(hasty, sink, ahead=1.0), ear, "One. ", "Two. ", "Three.")
    assert 0.9 <= sink.most <= 1.0 + 1e-6
    assert anyio.current_time() - ear.began == pytest.approx(21, abs=0.002)


@pytest.mark.anyio
async def test_the_reply_is_not_read_far_ahead() -> None:
    """What waits to be said holds up whoever says it: the chunks are not drained into a hidden buffer."""
    taken: list[float] = []

    async def chunks() -> AsyncIterator[str]:
        for _ in range(20):
            taken.append(anyio.current_time() - began)
            yield "One two three four. "

    began = anyio.current_time()
    await make(voice(), Loudspeaker(), ahead=1.0)(Reply(), chunks(), Ear())
    assert len([at for at in taken if at < 1.0]) <= 5
    assert taken[-1] > 14


@pytest.mark.anyio
async def test_a_slow_tts_is_not_taken_at_its_word() -> None:
    """Each word comes a second late and the sink runs dry between: nothing is reported before it is heard."""
    for timed in (True, False):
        ear = Ear()
        await run(make(voice(timed=timed, pace=1.0), Loudspeaker()), ear, "One two three four")
        ends = {text.split()[-1]: when for when, text in ear.log[1:]}
        began = {"One": 0.0, "two": 1.0, "three": 2.0, "four": 3.0}
        assert all(began[word] < when for word, when in ends.items())
        assert ends["four"] <= 4.0 + 0.05 + 1e-6
    assert ends.keys() <= began.keys()


# Holds ------------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_hold_stops_the_clock() -> None:
    """What is not yet heard is heard as much later as the hold lasted; a second hold is a hold as well."""
    ear, sink = Ear(), Loudspeaker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, make(voice(), sink), ear, "One two three four")
        for begin, end in ((0.3, 30.3), (30.6, 31.6)):
            await anyio.sleep_until(ear.began + begin)
            ear.hold()
            await anyio.sleep_until(ear.began + end)
            ear.resume()
    assert ear.log == at(
        [
            (0.01, "<started>"),
            (0.2, "One"),
            (30.45, "One two"),
            (31.7, "One two three"),
            (31.95, "One two three four"),
        ]
    )
    assert [did for did in sink.did if did != "play"] == ["begin 0", *["pause", "resume"] * 2]


@pytest.mark.anyio
async def test_a_hold_that_ends_in_barge_in_leaves_nothing_behind() -> None:
    """The next reply is heard, though the one before it was never resumed."""
    ear, sink = Ear(), Loudspeaker()
    speak = make(voice(), sink)
    with anyio.move_on_after(0.5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, speak, ear, "One two three four")
            await anyio.sleep(0.3)
            ear.hold()
    assert sink.did[-1] == "clear"
    other = Ear()
    await run(speak, other, "Yes?", reply=1)
    assert other.log == at([(0.01, "<started>"), (0.2, "Yes?")])


# Barge-in ---------------------------------------------------------------------------------------------------------


class Strict(Loudspeaker):
    """A sink that waits in `play`, and takes it ill if it has to play what was to be silenced."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice
        self.silenced: set[int] = set()
        self.reply = -1

    def begin(self, reply: int) -> None:
        super().begin(reply)
        self.reply = reply

    async def play(self, audio: bytes) -> None:
        assert self.reply not in self.silenced
        if self._dice.random() < 0.3:
            await anyio.sleep(self._dice.choice([0.0, 0.01, 0.1]))
        await super().play(audio)

    def clear(self) -> None:
        super().clear()
        self.silenced.add(self.reply)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(60))
async def test_after_a_barge_in_nothing_sounds(seed: int) -> None:
    """Whenever it comes, and whatever the TTS is doing: cleared in the step that learns of it, silent ever after."""
    dice = random.Random(seed)
    latency, pace = dice.choice([0.0, 0.05, 0.3]), dice.choice([0.0, 0.1, 0.4])
    moment = dice.choice([0.0, round(dice.uniform(0, 3), 1), dice.uniform(0, 3), 0.25 * dice.randrange(12)])
    ear, sink = Ear(), Strict(dice)
    speak = make(voice(latency, pace=pace, timed=dice.random() < 0.5), sink, ahead=dice.choice([0.3, 1, 5]))
    choices: list[Step] = ["One two. ", "three, four five six ", bytes(700), "Seven!", 0.1]
    steps = dice.choices(choices, k=8)
    finished = False

    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def reply() -> None:
            nonlocal finished
            with scope:
                await run(speak, ear, *steps)
                finished = True

        tasks.start_soon(reply)
        await anyio.sleep(moment)
        played, told = sink.played(), len(ear.log)
        scope.cancel()
        for _ in range(4):
            await anyio.lowlevel.checkpoint()
        assert sink.silenced == (set() if finished else {sink.reply} & {0})
        # Not a moment of sound, and not a word, from here on; at most one that was being reported.
        silent = len(sink.audio)
        assert len(ear.log) <= told + 1
        await anyio.sleep(10)
        assert len(sink.audio) == silent
        assert sink.played() == pytest.approx(played, abs=1e-6)
        assert len(ear.log) <= told + 1
    if not finished:
        other = Ear()
        await run(speak, other, "Yes?", reply=1)
        assert other.heard == "Yes?"
        assert sink.played() == pytest.approx(sink._queued)


@pytest.mark.anyio
async def test_a_tts_that_does_not_notice_is_not_heard() -> None:
    """What it still has to give when the barge-in is long past goes nowhere."""
    sink = Loudspeaker()

    async def oblivious(text: str) -> AsyncIterator[bytes]:
        yield bytes(500)
        with anyio.CancelScope(shield=True):
            await anyio.sleep(5)
        yield bytes(500)

    with anyio.move_on_after(0.1):
        await run(make(oblivious, sink), Ear(), "Hello")
    assert sink.did == ["begin 0", "play", "play", "play", "clear", "clear"]


@pytest.mark.anyio
@pytest.mark.parametrize("change", ["hold", "resume"])
async def test_a_hold_changes_nothing_after_the_barge_in(change: str) -> None:
    """Also when it comes, or ends, in the very step of the barge-in: the sink is the next reply's."""
    ear, sink = Ear(), Loudspeaker()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, make(voice(), sink), ear, "One two three four")
        await anyio.sleep(0.3)
        if change == "resume":
            ear.hold()
            await anyio.sleep(0.1)
        getattr(ear, change)()
        tasks.cancel_scope.cancel()
    assert set(sink.did[sink.did.index("clear") :]) == {"clear"}


@pytest.mark.anyio
async def test_the_next_reply_silences_one_that_is_slow_to_die() -> None:
    """Its TTS takes five seconds to close; the next reply does not wait for that, and no sound is mixed into it."""
    sink, log = Loudspeaker(), list[str]()

    async def stubborn(text: str) -> AsyncGenerator[bytes | Sound, None]:
        try:
            for _ in range(20):
                yield b"\1" * 200
                await anyio.sleep(0.05)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(5)
            log.append("closed")

    async def mixed(text: str) -> AsyncIterator[bytes | Sound]:
        async with aclosing(stubborn(text) if text == "Old" else voice()(text)) as synthesis:
            async for sound in synthesis:
                yield sound

    speak = make(mixed, sink)
    async with anyio.create_task_group() as tasks:
        scope = anyio.CancelScope()

        async def old() -> None:
            with scope:
                await run(speak, Ear(), "Old")

        tasks.start_soon(old)
        await anyio.sleep(0.5)
        scope.cancel()
        ear = Ear()
        await run(speak, ear, "New one", reply=1)
        assert ear.heard == "New one"
        assert sink.did[sink.did.index("begin 1") + 1 :].count("clear") == 0
        assert sink.audio.endswith(b"\0" * 1000)
        assert log == []
    assert log == ["closed"]
    assert sink.did[sink.did.index("begin 1") + 1 :].count("clear") == 0


@pytest.mark.anyio
async def test_two_replies_at_once_are_a_misuse() -> None:
    """The later one gets the sink; the earlier one says so, whoever waits for it."""
    ear, sink = Ear(), Loudspeaker()
    speak = make(voice(), sink)
    async with anyio.create_task_group() as tasks:

        async def early() -> None:
            with pytest.raises(LocalProtocolError, match="reply 0: another reply took the sink"):
                await run(speak, Ear(), "One two three four")

        tasks.start_soon(early)
        await anyio.sleep(0.3)
        await run(speak, ear, "Mine", reply=1)
    assert ear.heard == "Mine"


# What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_tts_that_fails_is_heard_out_first() -> None:
    """What was queued is played, no more is said to be heard than was, and then its error is raised as it is."""
    ear, sink = Ear(), Loudspeaker()

    async def failing(text: str) -> AsyncIterator[bytes | Sound]:
        async with aclosing(voice(timed=False)(text)) as synthesis:
            async for sound in synthesis:
                yield sound
                if "Second" in text:
                    raise RuntimeError("voice lost")

    with pytest.raises(RuntimeError, match="voice lost"):
        await run(make(failing, sink), ear, "First one. ", "Second sentence here. ", "Third.")
    assert ear.heard == "First one."
    assert len(sink.audio) == 3 * 500
    assert sink.played() == pytest.approx(3 * WORD, abs=0.002)
    assert "clear" not in sink.did


@pytest.mark.anyio
async def test_chunks_that_fail_are_heard_out_first() -> None:
    """The sentence that was cut off by it is not said."""
    ear, asked = Ear(), list[str]()
    with pytest.raises(RuntimeError, match="thought lost"):
        await run(
            make(voice(asked=asked), Loudspeaker()), ear, "A whole one. And a", " half", RuntimeError("thought lost")
        )
    assert asked == ["A whole one."]
    assert ear.heard == "A whole one."


@pytest.mark.anyio
@pytest.mark.parametrize("method", ["begin", "play", "played", "pause", "resume"])
async def test_a_sink_that_fails_is_silenced_at_once(method: str) -> None:
    """Its own error comes out, whichever of its methods it was."""
    ear, sink = Ear(), Loudspeaker()

    def fail(*_: object) -> Any:
        raise OSError("no sound card")

    async with anyio.create_task_group() as tasks:

        async def speaking() -> None:
            setattr(sink, method, fail)
            with pytest.raises(OSError, match="no sound card"):
                await run(make(voice(), sink), ear, "One two three four. " * 9)

        tasks.start_soon(speaking)
        await anyio.sleep(0.1)
        ear.hold()
        await anyio.sleep(0.1)
        ear.resume()
    assert anyio.current_time() - ear.began < 0.4
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
        await run(make(voice(), sink), Ear(), "One two three four.")


class Stuck(Loudspeaker):
    """A sink that, once paused, stays so."""

    def resume(self) -> None:
        """Does nothing."""


@pytest.mark.anyio
async def test_a_clock_that_stands_still_is_no_clock() -> None:
    """Not while the playback is held; else the reply would never end, and never fail."""
    ear, sink = Ear(), Stuck()
    async with anyio.create_task_group() as tasks:

        async def speaking() -> None:
            with pytest.raises(
                LocalProtocolError, match=r"played\(\) of the sink has stood at 0\.100 s for 3\.\d s with"
            ):
                await run(make(voice(), sink, stall_timeout=3.0), ear, "One two")

        tasks.start_soon(speaking)
        await anyio.sleep(0.1)
        ear.hold()
        await anyio.sleep(60)
        ear.resume()
        began = anyio.current_time()
    assert anyio.current_time() - began == pytest.approx(3.0, abs=0.11)


@pytest.mark.anyio
async def test_a_tts_that_yields_no_sound_is_named() -> None:
    """By the type of what it yields, not by what that says."""

    async def texting(text: str) -> AsyncIterator[Any]:
        yield bytearray(100)
        yield "secret"

    with pytest.raises(LocalProtocolError, match="the TTS yielded str; must be bytes or Sound") as caught:
        await run(make(texting, Loudspeaker()), Ear(), "Hi")
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


# Sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces", "rest"),
    [
        ("Hello there. How are you? Fine", ["Hello there.", " How are you?"], " Fine"),
        ("It costs 3.5 euros, or 4. Anything else", ["It costs 3.5 euros, or 4."], " Anything else"),
        ("It costs 3.", [], "It costs 3."),
        ("Dr. Smith, Mr. J. Doe and St. Mary. Yes", ["Dr. Smith, Mr. J. Doe and St. Mary."], " Yes"),
        ("Fruit, e.g. Apples, at 5 p.m. Or not. so", ["Fruit, e.g. Apples, at 5 p.m."], " Or not. so"),
        ("The U.S. Army. Then I. Then", ["The U.S. Army.", " Then I."], " Then"),
        ("See No. 5. No. Never", ["See No. 5.", " No."], " Never"),
        ('He said "No!" Then left', ['He said "No!"'], " Then left"),
        ("Wait... what? Oh", ["Wait... what?"], " Oh"),
        ("1. Tea\n2. Milk, etc.\n- or", ["1. Tea", "\n2. Milk, etc."], "\n- or"),
        ("今日は晴れ。「はい。」そう", ["今日は晴れ。", "「はい。」"], "そう"),
        ("", [], ""),
    ],
)
def test_sentences(text: str, pieces: list[str], rest: str) -> None:
    """Cut where a sentence ends and the next begins, not at numbers and abbreviations."""
    assert sentences(text) == (pieces, rest)


def test_the_first_piece_may_be_a_clause() -> None:
    """If it is not all too short, and no sentence is complete."""
    assert sentences("Well, as I said, it is", first=True) == (["Well, as I said,"], " it is")
    assert sentences("Well, as I said, it is") == ([], "Well, as I said, it is")
    assert sentences("Well. As I said, it is", first=True) == (["Well."], " As I said, it is")
    assert sentences("It has 1,000,000", first=True) == ([], "It has 1,000,000")


@given(st.text(alphabet='aB.!?, \n3。、"', max_size=60) | st.sampled_from(["word " * 200, "a" * 700, "b, " * 300]))
@example("Now. " * 99)
def test_nothing_is_lost_between_sentences(text: str) -> None:
    """The pieces and the rest are the text; none is empty or too long; the rest alone has nothing complete."""
    pieces, rest = sentences(text)
    assert "".join(pieces) + rest == text
    assert all(0 < len(piece) <= 300 for piece in [*pieces, rest or "-"])


@given(
    st.lists(
        st.sampled_from(["Hello", " there", ".", " Dr", ". Who", "?", " 3", ".5", "\n", " Yes", "!", ","]), max_size=20
    )
)
def test_tokens_make_the_same_sentences(tokens: list[str]) -> None:
    """However the text is cut into chunks: what follows decides, and it is waited for."""
    said: list[str] = []
    rest = ""
    for token in tokens:
        pieces, rest = sentences(rest + token)
        said += pieces
    assert (said, rest) == sentences("".join(tokens)) or any(
        one + two == "\n" or two.startswith("\n") for one, two in pairwise([*tokens, ""])
    )
