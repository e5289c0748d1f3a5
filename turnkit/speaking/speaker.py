"""`speaker`: says a reply by a streaming TTS into a sink, and reports what is heard by the sink's clock."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from inspect import isawaitable
from itertools import cycle
from math import inf
from typing import Any, TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..errors import ConfigError, LocalProtocolError
from ..logs import logger
from ..turns.words import has_words
from .alignment import WordTiming
from .filters import Filtering, TextFilter
from .interface import Mark, Playback, Speak
from .sentences import ends_sentence, sentences, without_tags
from .sink import AudioSink, check_audio
from .timeline import Timeline

_SLICE = 0.1  # seconds of audio that the sink gets at a time
_FIRST_SOUND_INTERVAL = 0.01  # seconds between looks at the clock until the first sound
_SIGN_OF_LIFE = 2.0  # seconds that a playback goes on at most without a report, however long a sound has no words
_SHORTEST_WAIT = 0.001  # seconds: the shortest wait, and what a clock may be off by at the end


@dataclass(frozen=True)
class Sound:
    """A stretch of audio from a TTS that also tells when its words are said.

    Attributes:
        audio: the bytes.
        words: each word, its start and its end in seconds from the beginning of the audio for the text that the TTS was
            given; they may come earlier than their audio. Default none.
    """

    audio: bytes = field(repr=False)
    words: Sequence[WordTiming] = field(default=(), repr=False)


Synthesis: TypeAlias = AsyncIterable[bytes | Sound]
_Chunk: TypeAlias = str | bytes | Mark
TTS: TypeAlias = Callable[[str], Synthesis | Awaitable[Synthesis]]
"""An async generator function, or an async function that returns an async iterator: text in, its audio out."""


@dataclass(frozen=True)
class _Settings:
    """The settings of a `speaker`, checked."""

    sample_rate: int
    sample_width: int
    sentence: bool
    ahead: float
    interval: float
    patience: float
    stall_timeout: float
    rate: float
    text_filter: TextFilter | None

    def __post_init__(self) -> None:
        check_audio(self.sample_rate, self.sample_width)
        for name in ("ahead", "interval", "stall_timeout"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}={getattr(self, name)!r}: must be a positive number of seconds")
        if not self.patience >= 0:
            raise ConfigError(f"patience={self.patience!r}: must be a number of seconds, 0 or more")
        Timeline(rate=self.rate)

    @property
    def bytes_per_second(self) -> int:
        return self.sample_rate * self.sample_width

    @property
    def slice(self) -> int:
        """Bytes that the sink gets at a time: whole samples."""
        samples = int(min(_SLICE, self.ahead) * self.sample_rate)
        return max(samples, 1) * self.sample_width


def speaker(
    tts: TTS,
    sink: AudioSink,
    *,
    sample_rate: int = 16000,
    sample_width: int = 2,
    sentence: bool = True,
    ahead: float = 5.0,
    interval: float = 0.05,
    patience: float = 0.2,
    stall_timeout: float = 10.0,
    rate: float = 15.0,
    text_filter: TextFilter | None = None,
) -> Speak:
    """Make a `speak` for one conversation from a streaming TTS and a sink with a clock.

    The `speak` reports the first sound up to 0.01 s late, as words are heard, and every 2 s while there are none.
    What the TTS or the chunks raise it raises on, after the audio that was already queued has been played; what the
    sink raises, at once. It raises LocalProtocolError if the sink's clock stands still for `stall_timeout` over queued
    audio, if the TTS yields what is no sound, or no sound for any of the words, or if another reply begins before this
    one has ended. Words of which some had no sound are logged as `tts_gave_no_audio`, and are not heard.

    Chunks that have `with_marks` are asked for them: at a `Mark` all text so far goes to the TTS.

    Args:
        tts: gives the audio of a text.
        sink: plays the audio.
        sample_rate: of the audio that the TTS gives, in Hz; chunks that are `bytes` are such audio already and skip it.
            Default 16000.
        sample_width: bytes a sample of that audio, of all channels together. Default 2.
        sentence: whether text is cut into sentences; without, each chunk goes to the TTS as it is. Default True.
        ahead: seconds of audio queued at most. Default 5.
        interval: seconds between looks at the sink's clock. Default 0.05.
        patience: seconds without more text after which a last sentence is said, with `sentence`. Default 0.2.
        stall_timeout: seconds for which the sink's clock may stand still over queued audio. Default 10.
        rate: characters a second assumed of speech while its length is not known. Default 15.
        text_filter: makes of what is said what the TTS gets, such as `speakable`; what is heard stays as it was said.
            It is given the reply from its beginning, as far as it has come. Default None: as it is.

    Returns:
        The `speak`.

    Raises:
        ConfigError: for a setting that cannot work.
    """
    settings = _Settings(
        sample_rate, sample_width, sentence, ahead, interval, patience, stall_timeout, rate, text_filter
    )
    current: _Utterance | None = None

    async def speak(reply: Any, chunks: AsyncIterator[str | bytes], playback: Playback, /) -> None:
        nonlocal current
        if current is not None:
            current.stop()  # it may not have learned yet that it was interrupted
        utterance = current = _Utterance(reply.id, tts, sink, playback, settings)
        try:
            await utterance.run(chunks)
        finally:
            if current is utterance:
                current = None
                if utterance.stopped:
                    sink.clear()  # of what a sink took in while it was being cleared

    return speak


class _Utterance:
    """One reply being said: its chunks are read, synthesised and queued, and its playback followed, side by side."""

    def __init__(self, reply: int, tts: TTS, sink: AudioSink, playback: Playback, settings: _Settings) -> None:
        self._reply = reply
        self._tts = tts
        self._sink = sink
        self._playback = playback
        self._settings = settings
        self._timeline = Timeline(rate=settings.rate)
        self._queued = 0.0
        self._unfinished_sample = b""
        self._filtering = Filtering(settings.text_filter)
        self._voiced = self._silent = 0  # pieces with words, and with sound or without
        self._marks: deque[tuple[float, Mark]] = deque()  # each with the seconds that are played before it
        self._has_audio = anyio.Event()  # there is something to follow, or never will be
        self._complete = False
        self._over = False
        self._failure: Exception | None = None
        self.stopped = False

    async def run(self, chunks: AsyncIterator[str | bytes]) -> None:
        """Say it all, to the last sound."""
        self._sink.begin(self._reply)
        send, receive = anyio.create_memory_object_stream[_Chunk](0)
        with send, receive:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._run_part, False, self._read, chunks, send)
                tasks.start_soon(self._run_part, False, self._synthesise, receive)
                tasks.start_soon(self._run_part, True, self._pause_and_resume)
                await self._run_part(True, self._follow)
                self._over = True
                tasks.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure
        if self._silent and not self._voiced:
            raise LocalProtocolError(f"the TTS {_name_of(self._tts)} gave no audio for a text with words")
        if self.stopped:
            raise LocalProtocolError(f"reply {self._reply}: another reply took the sink before this one had ended")

    def stop(self) -> None:
        """Fall silent now, and let nothing more of this reply reach the sink."""
        if not self._over:
            self._over = self.stopped = True
            self._has_audio.set()
            with suppress(Exception):  # tried again, and told, once all parts have ended
                self._sink.clear()

    async def _run_part(self, fatal: bool, work: Callable[..., Awaitable[None]], *args: object) -> None:
        """Do part of the work. Whichever part learns first that all is cancelled silences the sink."""
        try:
            await work(*args)
        except Exception as error:
            self._failure = self._failure or error
            if fatal:
                self.stop()
        except BaseException:
            self.stop()
            raise

    # From text to the sink ----------------------------------------------------------------------------------------

    async def _read(self, chunks: AsyncIterator[str | bytes], send: MemoryObjectSendStream[_Chunk]) -> None:
        # By itself: a wait for the next chunk may be given up, the reading of it may not.
        marked: Callable[[], AsyncIterator[_Chunk]] | None = getattr(chunks, "with_marks", None)
        with send:
            source = chunks if marked is None else marked()
            async with nullcontext() if source is chunks else _closing(source):
                async for chunk in source:
                    if chunk or not isinstance(chunk, (str, bytes)):
                        await send.send(chunk)

    async def _synthesise(self, receive: MemoryObjectReceiveStream[_Chunk]) -> None:
        text, first = "", True
        try:
            with receive:
                while (chunk := await self._next_chunk(receive, text)) is not None:
                    if isinstance(chunk, str) and chunk and self._settings.sentence:
                        pieces, text = sentences(text + chunk, first=first)
                    else:
                        pieces, text = [text, chunk] if isinstance(chunk, str) else [text], ""
                    for piece in pieces:
                        await self._say(piece)
                        first = first and not piece
                    if isinstance(chunk, bytes):
                        await self._queue_bytes(chunk)
                    elif not isinstance(chunk, str):
                        self._set_mark(chunk)
                if self._failure is None:
                    await self._say(text)
        finally:
            self._complete = True
            self._has_audio.set()

    async def _next_chunk(self, receive: MemoryObjectReceiveStream[_Chunk], text: str) -> _Chunk | None:
        """The next chunk; empty if none comes while a whole sentence waits to be said; None at the end."""
        with anyio.move_on_after(self._settings.patience if ends_sentence(text) else inf):
            try:
                return await receive.receive()
            except anyio.EndOfStream:
                return None
        return ""

    async def _say(self, text: str) -> None:
        if not text:
            return
        spoken = self._filtering.spoken(text)
        words = without_tags(spoken)
        if self._settings.sentence:
            self._timeline.end_word()
        self._timeline.add(text, spoken=None if words == text else words)
        self._unfinished_sample = b""
        queued = self._queued
        if has_words(spoken):
            made = self._tts(spoken.strip())
            synthesis = await made if isawaitable(made) else made
            async with _closing(synthesis):
                async for sound in synthesis:
                    if isinstance(sound, Sound):
                        await self._queue_sound(sound.audio, sound.words)
                    elif isinstance(sound, (bytes, bytearray, memoryview)):
                        await self._queue_sound(bytes(sound))
                    else:
                        raise LocalProtocolError(f"the TTS yielded {type(sound).__name__}; must be bytes or Sound")
        can_be_heard = any(map(str.isalnum, words))  # an emoji is more than a mark, but nobody knows how it sounds
        if self._queued > queued or not can_be_heard:
            self._timeline.settle()
            self._voiced += can_be_heard
        elif not self._over:
            self._timeline.drop()
            self._silent += 1
            logger().warning("tts_gave_no_audio", tts=_name_of(self._tts), reply=self._reply, characters=len(words))

    def _set_mark(self, mark: Mark) -> None:
        """Tell the mark once all that is queued by now has been heard; at once if nothing was."""
        self._timeline.end_word()
        if self._over:
            return
        if self._queued:
            self._marks.append((self._queued, mark))
        else:
            mark.heard()

    async def _queue_bytes(self, audio: bytes) -> None:
        """Queue audio whose words nobody told."""
        self._timeline.end_word()
        self._timeline.add("")
        await self._queue_sound(audio)
        self._timeline.settle()

    async def _queue_sound(self, audio: bytes, words: Sequence[WordTiming] = ()) -> None:
        # What comes over a network is cut anywhere, also within a sample.
        audio = self._unfinished_sample + audio
        whole = len(audio) - len(audio) % self._settings.sample_width
        self._unfinished_sample = audio[whole:]
        self._timeline.extend(whole / self._settings.bytes_per_second, words)
        for start in range(0, whole, self._settings.slice):
            await self._queue_slice(audio[start : min(start + self._settings.slice, whole)])

    async def _queue_slice(self, audio: bytes) -> None:
        """Give audio to the sink as soon as there is not too much of it queued."""
        seconds = len(audio) / self._settings.bytes_per_second
        room = False
        while not room:
            excess = self._queued + seconds - self._sink.played() - self._settings.ahead
            room = excess <= 1e-6
            if not room:
                await anyio.sleep(min(max(excess, _SHORTEST_WAIT), self._settings.interval))
        if self._over:
            return
        self._queued += seconds
        self._has_audio.set()
        try:
            await self._sink.play(audio)
        except Exception:
            self.stop()
            raise

    # From the sink to the session ---------------------------------------------------------------------------------

    async def _pause_and_resume(self) -> None:
        playback, sink = self._playback, self._sink
        for wait, act in cycle(((playback.wait_held, sink.pause), (playback.wait_resumed, sink.resume))):
            await wait()
            if self._over:
                return
            act()

    async def _follow(self) -> None:
        """Report what is heard, until all that was queued has been."""
        await self._has_audio.wait()
        told, started = "", False
        last, since, reported = 0.0, anyio.current_time(), anyio.current_time()
        while not self._over:
            now, played = anyio.current_time(), self._sink.played()
            rest = self._queued - played
            over = self._complete and rest <= _SHORTEST_WAIT
            if played > 0 and not started:
                started, reported = True, now
                self._playback.started()
            # Of a piece that failed midway nobody knows how far it got: only what has a time counts.
            heard = self._timeline.heard(inf if over and self._failure is None else self._reached(played))
            heard = max(heard, told, key=len)  # a word to which more came is no less heard
            if started and (heard != told or (played != last and now - reported >= _SIGN_OF_LIFE)):
                reported = now
                if heard:
                    self._playback.advance(heard)
                else:
                    self._playback.started()
                told = heard
            self._tell_marks(played)
            if over:
                return
            idle = rest <= _SHORTEST_WAIT or self._playback.held
            if idle:
                reported = now
            if idle or played != last:
                last, since = played, now
            elif now - since >= self._settings.stall_timeout:
                raise LocalProtocolError(
                    f"played() of the sink has stood at {played:.3f} s for {now - since:.1f} s with {rest:.3f} s "
                    f"queued; it must go on while audio is played"
                )
            wait = min(
                self._timeline.next_end(played) - played,
                self._marks[0][0] - played if self._marks else inf,
                self._settings.interval if started else _FIRST_SOUND_INTERVAL,
            )
            await anyio.sleep(max(min(wait, rest) if rest > _SHORTEST_WAIT else wait, _SHORTEST_WAIT))

    def _reached(self, played: float) -> float:
        """What counts as played: a mark is not told before the words that it stands behind."""
        return max((end for end, _ in self._marks if end <= played + _SHORTEST_WAIT), default=played)

    def _tell_marks(self, played: float) -> None:
        while self._marks and not self._over and self._marks[0][0] <= played + _SHORTEST_WAIT:
            self._marks.popleft()[1].heard()


@asynccontextmanager
async def _closing(source: object) -> AsyncIterator[None]:
    """Close in the end what was asked for here, if it can be closed: an async generator, say."""
    try:
        yield
    finally:
        if (close := getattr(source, "aclose", None)) is not None:
            await close()


def _name_of(tts: TTS) -> str:
    return str(getattr(tts, "__qualname__", type(tts).__qualname__))
