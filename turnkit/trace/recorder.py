"""The recorder of a call: what happens costs an append; encoding and writing wait for `flush`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from .. import wire
from ..errors import ConfigError, LocalProtocolError
from ..turns.events import (
    SPOKEN,
    Commit,
    EagerEndOfTurn,
    EndOfTurn,
    Event,
    ReplyEnded,
    Signal,
    StartOfTurn,
    TurnResumed,
    Update,
)
from ..wire import FluxOptions
from .policy_text import phrases_of, policy_to_text
from .raw_frames import timed
from .records import Header, TimedWord
from .redaction import Pseudonyms

MAX_BYTES = 64 * 2**20
"""Some forty hours of a call in which somebody always speaks."""
_BATCH = 512  # records, after which nobody's flush is waited for
_LAST_LINE = 100  # bytes kept free for it
_NAMESAKES = 1000

T = TypeVar("T", bound=msgspec.Struct)
_Input: TypeAlias = Event | bool  # True: a wake, False: the close
_Step: TypeAlias = tuple[float, _Input, tuple[Signal, ...], wire.TurnInfo | None]
_Aside: TypeAlias = tuple[float, str | None, Any]  # the name of a fact, None for a frame
_Entry: TypeAlias = _Step | _Aside | Signal | ReplyEnded


def _plain(value: object) -> object:
    """A number or a text of somebody's own type, as what it is."""
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(type(value).__name__)


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


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
        max_bytes: the bound of the file in bytes, 64 MiB by default and at least 4096.
        options: those of the connection, where the session's source does not know them.

    Raises:
        ConfigError: for a setting that cannot work.

    Attributes:
        path: the path of the file, once it has begun.
        pending: the records that are not written yet.
        written: how many bytes are.
        lost: how many records were not written and will not be.
        failure: how the disk failed, None if it did not.
        full: whether the bound was reached.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        redact: bool = False,
        frames: bool = False,
        max_bytes: int = MAX_BYTES,
        options: FluxOptions | None = None,
    ) -> None:
        if not isinstance(path, (str, Path)) or not str(path):
            raise ConfigError(f"record={path!r}: must be the path of a file, or of a directory")
        self.path = Path(path)
        if str(path).endswith(("/", "\\")):
            self._make_directory()
        if not self.path.is_dir():
            if self.path.exists():
                raise ConfigError(f"record={str(path)!r}: exists already, and a recording is never overwritten")
            if not self.path.parent.is_dir():
                raise ConfigError(f"record={str(path)!r}: {str(self.path.parent)!r} must be a directory")
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 4096:
            raise ConfigError(f"max_bytes={max_bytes!r}: must be a whole number of bytes, at least 4096")
        if options is not None and not isinstance(options, FluxOptions):
            raise ConfigError(f"options: must be FluxOptions, not {type(options).__name__}")
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
        self._words: Pseudonyms | None = None
        self._own_reasons = True

    def _make_directory(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ConfigError(f"record={str(self.path)!r}: must be a directory, and cannot be made: {why}") from None

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
            LocalProtocolError: if this recorder has recorded a call already.
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
        header = Header(
            turnkit=turnkit,
            session=session,
            began=began,
            began_at=began_at,
            settings={name: texts.get(name, value) for name, value in settings.items()},
            options=None if known is None else self._public(msgspec.to_builtins(known)),
            redacted=self.redact,
        )
        try:
            self._open(session)
        except OSError as error:
            self._fail(error)
        self._write(_encode(header) + b"\n")

    def _open(self, session: str) -> None:
        paths = [self.path]
        if self.path.is_dir():
            # Several calls may go by one name.
            name = _as_file_name(session)
            paths = [self.path / f"{name}{again}.jsonl" for again in ("", *(f"-{n}" for n in range(2, _NAMESAKES)))]
        for self.path in paths:
            try:
                self.path.touch(mode=0o600, exist_ok=False)
                break
            except FileExistsError:
                if self.path == paths[-1]:
                    raise
        self._file = self.path.open("ab", buffering=0)

    def fed(self, at: float, event: Event, signals: tuple[Signal, ...], message: wire.TurnInfo | None = None) -> None:
        """The machine was fed; `message` is what reported the event, if it came from Flux: it has the words."""
        self._add((at, event, signals, message))

    def woken(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was woken: worth a line the first time, and whenever it answered."""
        self._add((at, True, signals, None))

    def closed(self, at: float, signals: tuple[Signal, ...]) -> None:
        """The machine was closed."""
        self._add((at, False, signals, None))

    def told(self, signal: Signal | ReplyEnded) -> None:
        """A signal that is not the machine's: ReplyEnded, or a Note."""
        self._add(signal)

    def fact(self, at: float, name: str, /, **fields: Any) -> None:
        """Something happened that the machine is not told.

        Args:
            at: when, in seconds of the machine's clock.
            name: what it is called.
            fields: what there is to know of it, as plain values.

        Raises:
            LocalProtocolError: for an empty name, and for fields that no JSON can carry or that are called as the
                line's own, `at` and `fact`.
        """
        if not isinstance(name, str) or not name or {"at", "fact"} & set(fields):
            raise LocalProtocolError(f"fact {name!r}: must be a name, and no field of it may be called at or fact")
        try:
            plain = msgspec.to_builtins(fields, str_keys=True)
        except (TypeError, ValueError, RecursionError) as error:
            raise LocalProtocolError(f"fact {name!r}: every field must be a plain value: {error}") from None
        self._add((at, name, plain))

    def frame(self, at: float, message: wire.Message) -> None:
        """A message of Flux; recorded only if frames were asked for."""
        if self.frames:
            self._add((at, None, message))

    def _add(self, entry: _Entry) -> None:
        self.pending.append(entry)
        if len(self.pending) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Encode and write what is pending."""
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
            except (TypeError, ValueError, OverflowError, RecursionError):
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
        self._close("closed")

    # Lines --------------------------------------------------------------------------------------------------------

    def _lines(self, entry: _Entry) -> list[bytes]:
        if not isinstance(entry, tuple):
            self._at = entry.at
            return [self._encoded(self._signal(entry))]
        at = self._at = entry[0]
        start = b'{"at":%b,' % _encode(at)
        if len(entry) == 3:
            _, name, value = entry
            line = self._frame(value) if name is None else self._encoded({"fact": name, **self._public(value)})
            return [start + line[1:]]
        _, input_, signals, message = entry
        if input_ is True or input_ is False:
            first = start + (b'"wake":true}' if input_ else b'"close":true}')
        else:
            first = start + self._encoded(self._event(input_))[1:]
            if message is not None and type(input_) in _ENDS and (spoken := self._spoken(message)):
                first = first[:-1] + b',"words":' + self._encoded(spoken) + b"}"
        return [first, *(self._encoded(self._signal(signal)) for signal in signals)]

    def _encoded(self, value: object) -> bytes:
        try:
            return _encode(value)
        except UnicodeEncodeError:
            # Half a surrogate pair, from a host: no JSON can carry it.
            return _encode(_whole(msgspec.to_builtins(value, enc_hook=_plain)))

    def _frame(self, message: wire.Message) -> bytes:
        if isinstance(message, wire.Unknown):
            # Nobody knows where in it words might be.
            return self._encoded({"frame": {"type": message.type}})
        if self._words is not None and isinstance(message, wire.TurnInfo):
            words = [{**msgspec.to_builtins(word), "word": self._words.text(word.word)} for word in message.words]
            message = msgspec.structs.replace(
                message, transcript=self._words.text(message.transcript), raw_words=msgspec.Raw(_encode(words))
            )
        return self._encoded({"frame": message})

    def _spoken(self, message: wire.TurnInfo) -> list[TimedWord]:
        return [
            word if self._words is None else msgspec.structs.replace(word, word=self._words.text(word.word))
            for word in timed(message.words)
        ]

    def _event(self, event: Event) -> Event:
        if type(event) not in _CHECKED:
            event = _fitting(event)
        if self._words is None:
            return event
        return msgspec.structs.replace(event, **self._said(event, self._words))

    def _signal(self, signal: Signal | ReplyEnded) -> Signal | ReplyEnded:
        if type(signal) is Commit:
            signal = _fitting(signal)
        if self._words is None:
            return signal
        said = self._said(signal, self._words)
        if getattr(signal, "why", "") and not self._own_reasons:
            said["why"] = ""
        return msgspec.structs.replace(signal, **said)

    @staticmethod
    def _said(value: Event | Signal | ReplyEnded, words: Pseudonyms) -> dict[str, Any]:
        said = {name: getattr(value, name) for name in SPOKEN.intersection(value.__struct_fields__)}
        return {
            name: words.text(text) if isinstance(text, str) else tuple(map(words.text, text))
            for name, text in said.items()
        }

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
            self._write(b'{"at":%b,"end":"%b"}\n' % (_encode(self._at), how.encode()))
        self._over = True
        if self._file is not None and not self._file.closed:
            try:
                self._file.close()
            except OSError as error:
                self._fail(error)


_NO_WORDS = frozenset({"model", "encoding", "redact", "language_hint", "language_hints", "request_id", "type"})


_ENDS = frozenset({EagerEndOfTurn, EndOfTurn})
_CHECKED = frozenset({StartOfTurn, Update, EagerEndOfTurn, TurnResumed})  # where they are born


@cache
def _plain_fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, type], ...]:
    """The fields of a kind of event or signal that are plain values, and what they are declared as."""
    return tuple((field.name, field.type) for field in msgspec.structs.fields(kind) if field.type in (bool, int, str))


def _fitting(value: T) -> T:
    """The value with fields of the types that they are declared with.

    A host may have got them wrong: the machine takes them for what they mean, and so must who reads the recording.
    """
    wrong = {}
    for name, meant in _plain_fields(type(value)):
        if type(field := getattr(value, name)) is not meant:
            wrong[name] = meant(field)
            if meant is int and wrong[name] != field:
                raise ValueError(name)
    return msgspec.structs.replace(value, **wrong) if wrong else value


def _as_file_name(session: str) -> str:
    """The id of a session, which may be anything, as the name of a file."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in session)[:100]
    return name if name.strip(".") else "session"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, (list, tuple)) else value
