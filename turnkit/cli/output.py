"""Output and errors of every command: lines out, errors said in a sentence, async work run."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, NoReturn, TypeVar

import anyio
import msgspec
import typer
from rich.markup import escape

from ..checks import os_problem, shown_path
from ..errors import TurnkitError
from ..printable import printable_json
from ..turns.events import ReplyEnded, Signal
from .saying import say
from .screen import Screen

T = TypeVar("T")
RecordOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|DIR/",
        help="Record the call here, for `turnkit view` and `replay`: a new file; or a directory, made if the name ends "
        "in a slash.",
    ),
]
"""A text, as a path would lose the slash that has a directory made."""
RecordCallsOption = Annotated[
    str | None,
    typer.Option(
        "--record",
        metavar="DIR/",
        help="Record each call in this directory, for `turnkit view` and `replay`; it is made if it is not there.",
    ),
]
"""Of commands that hold many calls, each of which is a file of its own."""
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object a line, for programs.")]


def say_json(fields: object) -> None:
    """Print one JSON object on a line of its own; characters that the output cannot have are escaped."""
    line = msgspec.json.encode(fields).decode()
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        line = json.dumps(json.loads(line), separators=(",", ":"))
    say(printable_json(line))


class JsonLines:
    """Prints signals as JSON, one a line: `seconds` counts from the beginning, `at` is the clock of a recording."""

    def __init__(self, audio_end: Callable[[], float] | None = None) -> None:
        self._audio_end = audio_end

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def show(self, signal: Signal | ReplyEnded, seconds: float) -> None:
        """Print a signal, at this second of the conversation."""
        told = msgspec.to_builtins(signal, enc_hook=_name_of_kind)  # of an error
        fields = {"signal": type(signal).__name__, "seconds": round(seconds, 3), "at": signal.at, **told}
        if self._audio_end is not None:
            fields["audio_end"] = round(self._audio_end(), 2)
        say_json(fields)

    def play(self, heard: str, rest: str) -> None:
        """Print nothing: ReplyEnded says what was heard."""

    def tick(self, seconds: float) -> None:
        """Print nothing: each signal has its time."""


def _name_of_kind(value: object) -> str:
    return type(value).__name__


_INSTALLED_WITH = {"trio": "'turnkit[trio]'", "uvloop": "uvloop"}


def run_async(work: Callable[[], Coroutine[Any, Any, None]], backend: str = "asyncio") -> None:
    """Run `work` on asyncio, its uvloop, or trio; what goes wrong is said in a sentence, Ctrl-C ends it with 130."""
    if find_spec(backend) is None:
        fail(f"--backend {backend}: is not installed; pip install {_INSTALLED_WITH[backend]}")
    fast: dict[str, Any] = {"backend": "asyncio", "backend_options": {"use_uvloop": True}}
    try:
        anyio.run(work, **(fast if backend == "uvloop" else {"backend": backend}))
    except BaseException as error:
        causes = list(_causes(error))
        for cause in causes:
            if isinstance(cause, TurnkitError):
                fail(str(cause))
            if isinstance(cause, SystemExit):
                raise cause from None
            if isinstance(cause, KeyboardInterrupt):
                raise typer.Exit(130) from None
        raise


def _causes(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


def guard(work: Callable[[], T], options: Mapping[str, str] | None = None) -> T:
    """Return what `work` gives; what goes wrong is said, and the command is over.

    Args:
        work: what may go wrong.
        options: by the name of a parameter that the error may tell of, the option with which it was typed.
    """
    try:
        return work()
    except TurnkitError as error:
        fail(_as_typed(str(error), options or {}))


def _as_typed(message: str, options: Mapping[str, str]) -> str:
    """The message, which begins with `parameter=value:` or `parameter:`, as one of what was typed."""
    begins = re.match(r"(\w+)(?:=(['\"]?)(.*?)\2)?:", message)
    if begins and begins[1] in options:
        message = " ".join(filter(None, (options[begins[1]], begins[3]))) + f":{message[begins.end() :]}"
    for parameter, option in options.items():
        if "_" in parameter:  # which is no word of a sentence
            message = re.sub(rf"\b{parameter}\b", option, message)
    return message


def calls_directory(record: str | None) -> str | None:
    """The directory that `RecordCallsOption` names, made and wherever it is; what is none ends the command."""
    if record is None:
        return None
    from ..trace import Recorder

    named = f"{record.rstrip('/')}/"
    guard(lambda: Recorder(named))  # makes it, as private as recordings are
    return f"{Path(named).resolve()}/"


def check_place(path: Path, option: str) -> None:
    """Check where a file is to be written that takes long to come; what is known not to work ends the command now."""
    try:
        problem = "is a directory" if path.is_dir() else ""
        if not path.exists() and not path.parent.is_dir():
            problem = f"{shown_path(path.parent)} is no directory"
    except OSError as error:
        problem = os_problem(error)
    if problem:
        fail(f"{option} {shown_path(path)}: cannot be written: {problem}")


def write_file(path: Path, data: bytes, option: str = "") -> None:
    """Write a file without anybody's words; if it cannot be, that is said with its option, and the command is over."""
    try:
        path.write_bytes(data)
    except OSError as error:
        fail(f"{option} {shown_path(path)}: cannot be written: {os_problem(error)}".lstrip())


def warn(message: str) -> None:
    """Say on standard error what is odd, in a sentence; the command goes on."""
    Screen(stderr=True).print(f"[bold yellow]warning:[/bold yellow] {escape(message)}", highlight=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Say what went wrong, in a sentence on standard error; exit code 1."""
    Screen(stderr=True).print(f"[bold red]error:[/bold red] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
