"""The espeak-ng library, by ctypes: one for the whole process, so that one text at a time is synthesised.

The library keeps its voice, its speed and its callback in global variables. All of it is done in one thread, in the
order in which it was asked for; synthesis is some hundred times as fast as speech, so that nobody waits for long.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ctypes.util import find_library
from functools import cache
from typing import Any, NamedTuple

from ..errors import ConfigError

RATE = 22050
"""In Hz, of what the library gives: 16-bit PCM, mono."""

_SYNCHRONOUS = 2  # the callback is called where `espeak_Synth` is
_BUFFER_MS = 60  # of audio that the callback gets at a time
_PHONEME_EVENTS, _DO_NOT_EXIT = 0x1, 0x8000
_UTF8, _BY_CHARACTER = 1, 1
_SPEED, _PITCH = 1, 3  # parameters
_END_OF_LIST, _WORD, _END, _END_OF_ALL, _PHONEME = 0, 1, 5, 6, 7  # kinds of events

_MISSING = "no espeak-ng was found: pip install 'turnkit[voice]', or get the system's: apt-get install libespeak-ng1"


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


class _VoiceOfLibrary(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Manner(NamedTuple):
    """How a text is said.

    Attributes:
        language: as the library names it, such as "en-us"; a variant of its voice may follow, as in "en-us+f3".
        words_per_minute: how fast, 80 to 450.
        pitch: 0 to 100.
    """

    language: str
    words_per_minute: int
    pitch: int


class Boundary(NamedTuple):
    """Where something begins in the audio.

    Attributes:
        sample: its number, from the beginning of the text's audio.
        position: where in the text the word that begins there stands, in characters; None where a pause begins, or
            the end.
    """

    sample: int
    position: int | None


Take = Callable[[bytes, list[Boundary]], bool]
"""Gets audio, and what begins in it, in order; whether to go on."""


class Library:
    """The library, loaded and set up. All of it is for the one thread of `THREAD`.

    Raises:
        ImportError: there is none, or it does not start; the message says what to install.
    """

    def __init__(self) -> None:
        self._library, path = _loaded()
        rate = self._library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, path, _PHONEME_EVENTS | _DO_NOT_EXIT)
        if rate != RATE:
            raise ImportError(f"the espeak-ng library does not start, or has no data (code {rate}): {_MISSING}")
        self._library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_VoiceOfLibrary))
        self._voices = self._listed()
        variants = _each(self._library.espeak_ListVoices(ctypes.byref(_VoiceOfLibrary(languages=b"variant"))))
        self._variants = sorted(one.contents.identifier.decode().rpartition("/")[2] for one in variants)
        self._manner: Manner | None = None
        self._take: Take = _take_nothing
        self._failure: BaseException | None = None
        self._callback = _Callback(self._called)  # kept: the library does not
        self._library.espeak_SetSynthCallback(self._callback)

    def choose(self, manner: Manner) -> None:
        """Speak in this manner from now on.

        Raises:
            ConfigError: the language is unknown; the message lists those there are.
        """
        if manner == self._manner:
            return
        self._manner = None
        language, plus, variant = manner.language.partition("+")
        if variant not in self._variants and plus:
            raise ConfigError(
                f"language={manner.language[:40]!r}: what follows the + must be one of {', '.join(self._variants)}"
            )
        name = self._voices.get(language)
        if name is None or self._library.espeak_SetVoiceByName(f"{name}{plus}{variant}".encode()):
            raise ConfigError(
                f"language={manner.language[:40]!r}: espeak-ng does not speak it; must be one of "
                f"{', '.join(self.languages())}"
            )
        self._library.espeak_SetParameter(_SPEED, manner.words_per_minute, 0)
        self._library.espeak_SetParameter(_PITCH, manner.pitch, 0)
        self._manner = manner

    def languages(self) -> list[str]:
        """All that it speaks, such as "en-us"."""
        return sorted(self._voices)

    def _listed(self) -> dict[str, str]:
        """The name of the library's best voice for each language."""
        best: dict[str, tuple[int, str]] = {}
        for voice in _each(self._library.espeak_ListVoices(None)):
            for priority, language in _languages_of(voice.contents):
                best[language] = min(best.get(language, (256, "")), (priority, voice.contents.name.decode()))
        return {language: name for language, (_, name) in best.items()}

    def synthesise(self, text: str, manner: Manner, take: Take) -> None:
        """Say a text; returns when all of it was given to `take`, or that wants no more.

        Raises:
            ConfigError: the language is unknown.
            Exception: what `take` raises.
        """
        self.choose(manner)
        data = text.encode("utf-8", "replace") + b"\0"
        self._take, self._failure = take, None
        try:
            self._library.espeak_Synth(data, len(data), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        finally:
            self._take = _take_nothing
            failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _called(self, samples: Any, count: int, events: Any) -> int:
        """What the library calls: 0 has it go on."""
        try:
            audio = ctypes.string_at(samples, 2 * count) if samples else b""
            return 0 if self._take(audio, list(_boundaries(events))) else 1
        except BaseException as error:  # through the library's own code nothing can be raised
            self._failure = error
            return 1


def _take_nothing(audio: bytes, boundaries: list[Boundary]) -> bool:
    return False


def _each(voices: Any) -> Iterator[Any]:
    number = 0
    while voices[number]:
        yield voices[number]
        number += 1


def _languages_of(voice: _VoiceOfLibrary) -> Iterator[tuple[int, str]]:
    """The languages of a voice: for each a byte, the lower the better it speaks it, and the name, which a 0 ends."""
    address = ctypes.c_void_p.from_buffer(voice, _VoiceOfLibrary.languages.offset).value or 0
    while priority := ctypes.string_at(address, 1)[0]:
        name = ctypes.string_at(address + 1)
        yield priority, name.decode()
        address += len(name) + 2


def _boundaries(events: Any) -> Iterator[Boundary]:
    number = 0
    while (kind := events[number].type) != _END_OF_LIST:
        event = events[number]
        if kind == _WORD:
            yield Boundary(event.sample, max(event.text_position - 1, 0))
        elif kind in (_END, _END_OF_ALL) or (kind == _PHONEME and event.id.string.startswith(b"_")):
            yield Boundary(event.sample, None)
        number += 1


def _loaded() -> tuple[ctypes.CDLL, bytes | None]:
    """The library that a package brings, or else the system's; and where its data is, None for its own place."""
    try:
        import espeakng_loader as package
    except ImportError:
        pass
    else:
        with suppress(OSError, RuntimeError):  # it is for another system, or its data is not there
            return ctypes.CDLL(package.get_library_path()), package.get_data_path().encode()
    for name in (find_library("espeak-ng"), "libespeak-ng.so.1", "libespeak-ng.dylib", "libespeak-ng.dll"):
        if name is not None:
            with suppress(OSError):
                return ctypes.CDLL(name), None
    raise ImportError(_MISSING)


class _Thread:
    """The one thread in which the library works."""

    def __init__(self) -> None:
        self._reset()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._reset)  # a child has none of its parent's threads

    def _reset(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="turnkit-espeak")

    def run(self, work: Callable[[Library], Any]) -> Any:
        """Have something done there, and wait for it. Raises what it raises."""
        return self._executor.submit(self._with_library, work).result()

    def begin(self, work: Callable[[Library], object]) -> None:
        """Have something done there; it must not raise."""
        self._executor.submit(self._with_library, work)

    @staticmethod
    def _with_library(work: Callable[[Library], Any]) -> Any:
        return work(_library())


_library = cache(Library)

THREAD = _Thread()
"""The library's thread."""
