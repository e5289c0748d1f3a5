"""Every file that a command is given, to read or to write, as it is given: what the tests of all commands walk."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, get_args, get_type_hints

from tests.support.many_calls import call
from tests.support.wav_file import write_wav
from turnkit.cli.commands import COMMANDS

BOT = "from turnkit import Session\n\n\ndef session():\n    return Session()\n"
MISSING = "pip install 'turnkit["
"""What a command says where that with which it works is not installed."""
_TEXTS = {"traces", "trace", "against", "record"}  # what names files, though it is a text


class FileArgument(NamedTuple):
    """A file that a command is given.

    Attributes:
        command: The command.
        name: The option, or the argument in capitals.
        line: How it is called; `{}` is the file, and the other names are those of `prepare`.
        writes: Whether it is to be written.
        parameter: What the command calls it itself.
        url: Whether it may be in a store.
    """

    command: str
    name: str
    line: str
    writes: bool
    parameter: str
    url: bool = False

    def __str__(self) -> str:
        return f"{self.command} {self.name}"

    def arguments(self, file: str) -> list[str]:
        """What the command is called with."""
        return [self.command, *(file if part == "{}" else part for part in self.line.split())]


_NOBODY = "ws://127.0.0.1:9"
FILE_ARGUMENTS = [
    FileArgument("export", "TRACES", "{} --out tables", False, "traces", url=True),
    FileArgument("metrics", "TRACES", "{}", False, "traces", url=True),
    FileArgument("replay", "TRACES", "{}", False, "traces", url=True),
    FileArgument("tune", "TRACES", "{}", False, "traces", url=True),
    FileArgument("tune", "--against", "call.jsonl --against {}", False, "against", url=True),
    FileArgument("view", "TRACE", "{} --no-open --out page.html", False, "trace", url=True),
    FileArgument("view", "--audio", "call.jsonl --no-open --out page.html --audio {}", False, "audio"),
    FileArgument("run", "AUDIO", f"{{}} --url {_NOBODY}", False, "audio"),
    FileArgument("simulate", "--recording", "--port 0 --recording {}", False, "recording"),
    FileArgument("simulate", "--script", "--port 0 --script {}", False, "script"),
    FileArgument("demo", "--record", "--speed 50 --record {}", True, "record"),
    FileArgument("export", "--out", "call.jsonl --words --out {}", True, "out", url=True),
    FileArgument("play", "--record", "--port 0 --no-open --record {}", True, "record"),
    FileArgument("run", "--record", f"call.wav --url {_NOBODY} --record {{}}", True, "record"),
    FileArgument("serve", "--record", "bot_of_tests:session --simulate --port 0 --record {}", True, "record"),
    FileArgument("soak", "--report", "--sessions 1 --seconds 1 --report {}", True, "report"),
    FileArgument("tune", "--html", "call.jsonl --html {}", True, "html"),
    FileArgument("view", "--out", "call.jsonl --no-open --out {}", True, "out"),
    FileArgument("view", "--perfetto", "call.jsonl --no-open --out page.html --perfetto {}", True, "perfetto"),
    FileArgument("view", "--png", "call.jsonl --no-open --out page.html --png {}", True, "png"),
]


def prepare(folder: Path) -> None:
    """Write what the lines name beside the file: a recording, audio and a bot."""
    (folder / "call.jsonl").write_bytes(call(0))
    write_wav(folder / "call.wav", frames=16000)
    (folder / "bot_of_tests.py").write_text(BOT)


def files_of(command: str) -> set[str]:
    """The parameters of a command that are files, by their types and their names."""
    module = import_module(f"turnkit.cli.{command}")
    function = next(
        one
        for name, one in inspect.getmembers(module, inspect.isfunction)
        if name.split("_")[0] == command and one.__module__ == module.__name__
    )
    hints = get_type_hints(function)
    found = {name for name, hint in hints.items() if hint is Path or Path in get_args(hint)}
    return found | (_TEXTS & hints.keys()) | ({"out"} & hints.keys())


def all_files() -> set[tuple[str, str]]:
    """Each command with each of its files."""
    return {(command, name) for command in COMMANDS for name in files_of(command)}
