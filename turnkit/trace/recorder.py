"""The recorder of a call: what happens costs an append; encoding and writing wait for `flush`."""

from __future__ import annotations

import sys
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec

from .. import wire
from ..checks import is_number, is_url, os_problem, shown, shown_path
from ..errors import ConfigError, LocalProtocolError
from ..turns.events import SPOKEN, Event, ReplyEnded, Signal, TimedWord
from ..wire import FluxOptions
from .encoding import checked, encoded, fitting, one_line, plain_fields
from .policy_text import phrases_of, policy_to_text
from .records import MOST_BYTES, Header
from .redaction import Pseudonyms

if TYPE_CHECKING:
    from .audio_file import AudioFile

MAX_BYTES = 64 * 2**20
"""Some forty hours of a call in which somebody always speaks."""
MAX_AUDIO_BYTES = 256 * 2**20
"""More than two hours of 16 kHz linear16, more than nine of 8 kHz mulaw."""
MOST_AUDIO_BYTES = 2**31 - 2**10
"""What every reader of WAV files can take."""
_BATCH = 512  # records, after which nobody's flush is waited for
_LAST_LINE = 100  # bytes kept free for it
_NAMESAKES = 1000
_MOST_SPEED = 1e6
_LONGEST_NAME = 200  # bytes: with what is added, within what file systems take

T = TypeVar("T", bound=msgspec.Struct)
_Input: TypeAlias = Event | bool  # True: a wake, False: the close
_Step: TypeAlias = tuple[float, _Input, tuple[Signal, ...]]
_Aside: TypeAlias = tuple[float, str, dict[str, Any]] | tuple[float, None, wire.Message]  # a fact, a frame
_Entry: TypeAlias = _Step | _Aside | Signal | ReplyEnded


class Recorder:
    """Writes one call to a file, append only and by whole lines: what kills the process costs the last moments.

    The file holds what was said, so only its owner may read it. A session calls the methods; so may whoever runs a
    `TurnMachine` without one: `begin`, then for each step what was fed and answered, `flush` now and then, `end`. A
    disk that fails never raises: `failure` says how, `lost` counts the records that were not written, and nothing is
    written any more. (A disk that hangs holds up whoever calls `flush`: record to one that does not, such as this
    machine's own.)

    Args:
        path: a file that does not exist yet, or a directory, where the file is named after the session (made if it is
            not there and the path ends in a slash).
        redact: whether every word is replaced, False by default; see `turnkit.trace.redaction` for what stays
            readable.
        frames: whether every frame of Flux is added whole, False by default.
        max_bytes: the bound of the file in bytes, 64 MiB by default; from 4096 to 256 MiB, as much as can be read.
        audio: whether what is sent to Flux is kept too, as a WAV file beside this one, False by default. Not with
            `redact`: a voice cannot be.
        max_audio_bytes: the bound of that file in bytes, 256 MiB by default.
        options: those of the connection, where the session's source does not know them.
        speed: how many seconds of the call pass in a second of the session's clock, 1 by default: more where a demo or
            a test hurries, so that who reads the recording tells of the call's own seconds.

    Raises:
        ConfigError: for a setting that cannot work.

    Attributes:
        path: the path of the file, once it has begun.
        pending: the records that are not written yet.
        written: how many bytes are.
        lost: how many records were not written and will not be.
        failure: how the disk failed, None if it did not.
        full: whether the bound was reached.
        wants_audio: whether the audio is to be kept.
        audio: the file of the audio; None if none is kept, or its encoding is none that WAV files have.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        redact: bool = False,
        frames: bool = False,
        audio: bool = False,
        max_bytes: int = MAX_BYTES,
        max_audio_bytes: int = MAX_AUDIO_BYTES,
        options: FluxOptions | None = None,
        speed: float = 1.0,
    ) -> None:
        if not isinstance(path, (str, Path)) or not str(path):
            raise ConfigError(f"record={path!r}: must be the path of a file, or of a directory")
        _check_characters(path)
        if is_url(str(path)):  # its parts would become folders here, the password one of them
            rule = "must be a path of this machine, as a store takes whole files"
            raise ConfigError(f"record={shown_path(path)!r}: {rule}")
        self.path = Path(path)
        if str(path).endswith(("/", "\\")):
            self._make_directory()
        try:
            there = self.path.exists()
        except OSError as error:  # such as a name that is too long
            raise ConfigError(f"record={shown_path(path)!r}: cannot be made: {os_problem(error)}") from None
        if not self.path.is_dir():
            if there:
                raise ConfigError(f"record={shown_path(path)!r}: exists already, and a recording is never overwritten")
            if not self.path.parent.is_dir():
                raise ConfigError(f"record={shown_path(path)!r}: {shown_path(self.path.parent)!r} must be a directory")
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or not 4096 <= max_bytes <= MOST_BYTES:
            rule = f"must be a whole number of bytes, from 4096 to {MOST_BYTES}"
            raise ConfigError(f"max_bytes={shown(max_bytes)}: {rule}")
        if (
            isinstance(max_audio_bytes, bool)
            or not isinstance(max_audio_bytes, int)
            or not 4096 <= max_audio_bytes <= MOST_AUDIO_BYTES
        ):
            rule = f"must be a whole number of bytes, from 4096 to {MOST_AUDIO_BYTES}"
            raise ConfigError(f"max_audio_bytes={shown(max_audio_bytes)}: {rule}")
        if audio and redact:
            raise ConfigError("audio=True, redact=True: a voice says the words that were to be replaced; choose one")
        if options is not None and not isinstance(options, FluxOptions):
            raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
        if not is_number(speed) or not 0 < speed <= _MOST_SPEED:
            raise ConfigError(f"speed={shown(speed)}: must be above 0, and at most {_MOST_SPEED:g}")
        self.wants_audio = audio
        self._speed = float(speed)
        self.audio: AudioFile | None = None
        self._max_audio_bytes = max_audio_bytes
        self.redact = redact
        self.frames = frames
        self.options = options
        self.pending: list[_Entry] = []
        self.written = self.lost = 0
        self.failure: OSError | None = None
        self.full = False
        self._max_bytes = max_bytes
        self._file: Any = None
        self._over = False
        self._at = 0.0
        self._fed_until = -inf
        self._words: Pseudonyms | None = None
        self._own_reasons = True

    def _make_directory(self) -> None:
        try:
            # One by one: of those above it, mkdir(parents=True) leaves the mode to the umask.
            for directory in reversed((self.path, *self.path.parents)):
                if not directory.exists():
                    directory.mkdir(0o700, exist_ok=True)  # as private as the recordings
            self.path.mkdir(exist_ok=True)
        except OSError as error:
            why = os_problem(error)
            rule = "must be a directory, and cannot be made"
            raise ConfigError(f"record={shown_path(self.path)!r}: {rule}: {why}") from None

    # The call -----------------------------------------------------------------------------------------------------

    def begin(
        self,
        session: str,
        began: str,
        began_at: float,
        settings: dict[str, Any],
        *,
        options: FluxOptions | None = None,
        turnkit: str = "",
    ) -> None:
        """Open the file and write the header.

        Args:
            session: the session's name.
            began: the wall clock now, in ISO 8601.
            began_at: the machine's clock now, in seconds.
            settings: those of the machine, policies and all.
            options: those of the connection; by default the recorder's own.
            turnkit: the version that is running.

        Raises:
            LocalProtocolError: if this recorder has recorded a call already, or for settings and times that no file can
                hold.
        """
        if self._file is not None or self._over:
            raise LocalProtocolError("a Recorder records one call; make a new one for the next")
        policies = {name: value for name, value in settings.items() if callable(value)}
        texts = {name: policy_to_text(policy) for name, policy in policies.items()}
        if self.redact:
            self._words = Pseudonyms(phrase for policy in policies.values() for phrase in phrases_of(policy))
            # What turnkit's own policies give as their reason quotes nobody; what others say is not known.
            self._own_reasons = not any(text.startswith("<") for text in texts.values())
        known = options or self.options
        try:
            session = str(session)
            header = Header(
                turnkit=turnkit,
                session=session,
                began=began,
                began_at=began_at,
                settings={name: texts.get(name, value) for name, value in settings.items()},
                options=None if known is None else self._public(plain_fields(msgspec.structs.asdict(known))),
                redacted=self.redact,
                speed=self._speed,
            )
            first = encoded(header)
            msgspec.json.decode(first, type=Header)
        except Exception as error:  # whatever a host has put into it
            kind = type(error).__name__
            raise LocalProtocolError(f"begin: the id, settings and times must be plain values: {kind}") from error
        try:
            self._open(session)
        except OSError as error:
            self._fail(error)
        self._write(first + b"\n")
        if self.wants_audio and known is not None and self.failure is None:
            self._open_audio(known)

    def _open_audio(self, options: FluxOptions) -> None:
        from .audio_file import AudioFile  # only for those who keep audio

        try:
            audio = AudioFile(options, self._max_audio_bytes)
        except ConfigError:
            return  # the host is told by what `audio` is
        audio.open(self.path.with_suffix(".wav"))
        self.audio = audio

    def _open(self, session: str) -> None:
        paths = [self.path]
        if self.path.is_dir():
            # Several calls may go by one name.
            name = _as_file_name(session)
            paths = [self.path / f"{name}{again}.jsonl" for again in ("", *(f"-{n}" for n in range(2, _NAMESAKES)))]
        for self.path in paths:
            if self.wants_audio and len(paths) > 1 and self.path.with_suffix(".wav").exists():
                continue
            try:
                self.path.touch(mode=0o600, exist_ok=False)
                break
            except FileExistsError:
                if self.path == paths[-1]:
                    raise
        self._file = self.path.open("ab", buffering=0)

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...]) -> None:
        """The machine was fed: see `Observer.fed`."""
        self._add((at, event, signals))

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was woken: worth a line the first time, and whenever it answered; see `Observer.woken`."""
        self._add((at, True, signals))

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was closed: see `Observer.closed`."""
        self._add((at, False, signals))

    def told(self, signal: Signal | ReplyEnded) -> None:
        """A signal that is not the machine's: ReplyEnded, or a Note."""
        self._add(signal)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something happened that the machine is not told.

        Args:
            at: when, in seconds of the machine's clock.
            name: what it is called.
            fields: what there is to know of it, as plain values, under any names. Half a surrogate pair, which no JSON
                can carry, is replaced.

        Raises:
            LocalProtocolError: for a name that is none, a time that is no finite number, and for fields that would not
                be read back: no plain values, NaN or infinities, too deeply nested.
        """
        if not isinstance(name, str) or not name:
            raise LocalProtocolError(f"fact: must be called by a name, not by {type(name).__name__} or nothing")
        name = str.__str__(name)
        if not isinstance(at, (int, float)) or not abs(at) <= sys.float_info.max:
            raise LocalProtocolError(f"fact {name!r}: must happen at a finite number of seconds")
        try:
            kept = plain_fields(fields)
        except (TypeError, ValueError, RecursionError, msgspec.DecodeError) as error:
            raise LocalProtocolError(f"fact {name!r}: every field must be a plain value: {error}") from None
        self._add((float(at), name, kept))

    def frame(self, at: float, message: wire.Message) -> None:
        """A message of Flux; recorded only if frames were asked for.

        Args:
            at: when it came, in seconds of the machine's clock.
            message: what Flux said.
        """
        if self.frames:
            self._add((at, None, message))

    def sent(self, place: int, data: bytes) -> None:
        """Audio was sent to Flux; kept only if audio is.

        Args:
            place: where it begins, in bytes since the stream began.
            data: the audio, as it was sent.
        """
        if self.audio is not None:
            self.audio.add(place, data)

    def _add(self, entry: _Entry) -> None:
        self.pending.append(entry)
        if len(self.pending) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Encode and write what is pending."""
        if self.audio is not None:
            self.audio.flush()
        entries = self.pending[:]
        self.pending.clear()  # and not a new list: a session holds on to this one
        if self._over:
            self.lost += len(entries)
            return
        lines: list[bytes] = []
        size = self.written
        for done, entry in enumerate(entries):
            try:
                added = self._lines(entry)
            except Exception:
                # Only a host can have made it; the call, and the rest of the recording, go on.
                self.lost += 1
                continue
            size += sum(map(len, added)) + len(added)
            if size > self._max_bytes - _LAST_LINE:
                self.full = True
                self.lost += len(entries) - done
                break
            lines += added
        self._write(b"".join(line + b"\n" for line in lines), len(entries))
        if self.full:
            self._close("full")

    def end(self) -> None:
        """Write what is pending and the last line, and close the file; harmless when called again."""
        self.flush()
        if self.audio is not None:
            self.audio.close()
        self._close("closed")

    # Lines --------------------------------------------------------------------------------------------------------

    def _lines(self, entry: _Entry) -> list[bytes]:
        if not isinstance(entry, tuple):
            lines, self._at = [self._line(entry)], entry.at
            return lines
        lines, self._at = self._lines_at(*entry), entry[0]
        return lines

    def _lines_at(self, at: float, what: Any, more: Any) -> list[bytes]:
        start = b'{"at":%b,' % encoded(at)
        if what is None:
            return [checked(start + self._frame(more)[1:])]
        if isinstance(what, str):
            return [checked(start + encoded({"fact": what, "fields": self._public(more)})[1:])]
        if not at >= self._fed_until:
            raise ValueError("no machine takes what comes before what it was fed, or after its close")
        if what is True or what is False:
            first = checked(start + (b'"wake":true}' if what else b'"close":true}'))
        else:
            first = self._line(what, start)
        lines = [first, *map(self._line, more)]
        self._fed_until = inf if what is False else at
        return lines

    def _line(self, value: Event | Signal | ReplyEnded, start: bytes = b"{") -> bytes:
        """The line of an event or signal.

        A host may have got its fields wrong: the machine takes them for what they mean, and so must who reads it.
        """
        if self._words is None:
            try:
                return checked(start + encoded(value)[1:])
            except Exception:  # whatever a host has put into it
                return checked(start + encoded(fitting(value))[1:])
        return checked(start + encoded(self._redacted(fitting(value), self._words))[1:])

    def _frame(self, message: wire.Message) -> bytes:
        if isinstance(message, wire.Unknown):
            # Nobody knows where in it words might be.
            return encoded({"frame": {"type": message.type}})
        if isinstance(message, wire.TurnInfo):
            message = msgspec.structs.replace(message, raw_words=msgspec.Raw(one_line(message.raw_words)))
        if self._words is not None and isinstance(message, wire.TurnInfo):
            words = [{**msgspec.to_builtins(word), "word": self._words.text(word.word)} for word in message.words]
            message = msgspec.structs.replace(
                message, transcript=self._words.text(message.transcript), raw_words=msgspec.Raw(encoded(words))
            )
        return encoded({"frame": message})

    def _redacted(self, value: T, words: Pseudonyms) -> T:
        said = {name: _hidden(getattr(value, name), words) for name in SPOKEN.intersection(value.__struct_fields__)}
        if getattr(value, "why", "") and not self._own_reasons:
            said["why"] = ""
        return msgspec.structs.replace(value, **said)

    def _public(self, value: Any) -> Any:
        """With every text in it redacted, if words are."""
        if self._words is None:
            return value
        if isinstance(value, dict):
            return {name: item if name in _NO_WORDS else self._public(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._public(item) for item in value]
        return self._words.text(value) if isinstance(value, str) else value

    # The file -----------------------------------------------------------------------------------------------------

    def _write(self, data: bytes, records: int = 0) -> None:
        try:
            left = memoryview(data)
            while left and self.failure is None:
                count = self._file.write(left)
                self.written += count
                left = left[count:]
        except OSError as error:
            self.lost += records
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = error
        self._over = True

    def _close(self, how: str) -> None:
        if not self._over:
            self._write(b'{"at":%b,"end":"%b"}\n' % (encoded(self._at), how.encode()))
        self._over = True
        if self._file is not None and not self._file.closed:
            try:
                self._file.close()
            except OSError as error:
                self._fail(error)


_NO_WORDS = frozenset({"model", "encoding", "redact", "language_hint", "language_hints", "request_id", "type"})


def _check_characters(path: str | Path) -> None:
    try:
        refused = b"\0" in str(path).encode("utf-8", "surrogateescape")  # as Python names files
    except ValueError:
        refused = True
    if refused:
        raise ConfigError(f"record={shown_path(path)!r}: must be a path of characters that files can have")


def _hidden(said: Any, words: Pseudonyms) -> Any:
    if isinstance(said, str):
        return words.text(said)
    if isinstance(said, TimedWord):
        return msgspec.structs.replace(said, word=words.text(said.word))
    return tuple(_hidden(one, words) for one in said)


def _as_file_name(session: str) -> str:
    """The id of a session, which may be anything, as the name of a file."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in session[:_LONGEST_NAME])
    name = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return name if name.strip(".") else "session"
