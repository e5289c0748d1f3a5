"""The floors of the package, read out of its syntax trees: imports go down only, and what waits stays upstairs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = {
    **dict.fromkeys(("errors", "events", "words"), 0),
    **dict.fromkeys(("wire", "chart", "policy", "playback"), 1),
    **dict.fromkeys(("machine", "metrics"), 2),
    **dict.fromkeys(("referee", "check", "trace", "tuner", "viewer", "wav"), 3),
    **dict.fromkeys(("flux", "session", "simulator", "speaking", "logs", "running"), 4),
    **dict.fromkeys(("cli", "demo", "view", "soak", "telemetry", "testing", "interop", "__main__"), 5),
}
LIVE = 4  # the first floor that waits, logs and opens sockets

# Neighbours on one floor do not know each other, save these.
NEIGHBOURS = {
    "events": {"errors"},
    "check": {"referee"},
    "tuner": {"trace"},
    "viewer": {"trace", "tuner"},
    "flux": {"logs", "running"},
    "session": {"logs", "running", "speaking"},
    "simulator": {"logs", "running"},
    "cli": {"demo", "soak", "view"},
    "__main__": {"cli"},
}
# Or the simulator would agree with our mistakes.
UNKNOWN_TO_SIMULATOR = {"machine", "policy", "chart"}

NOT_BELOW_LIVE = {"asyncio", "logging", "time", "random", "secrets", "threading", "socket", "ssl", "os", "importlib"}
FOREIGN_LIVE = {
    "msgspec",
    "anyio",
    "websockets",
    "structlog",
    "trio",
    "sniffio",
}  # the last two only where they are installed
SDKS = {"deepgram", "pipecat", "livekit", "twilio"}


def module_of(path: str) -> str:
    """The module or package right under turnkit/ that a file belongs to."""
    return path.split("/")[1].removesuffix(".py")


def imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of all that a file imports, wherever; `from a import b` is `a.b`."""
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "__import__":
            yield node.lineno, "importlib"


def broken_rule(module: str, target: str) -> str | None:
    """The rule that `module` breaks by importing the dotted name `target`."""
    floor = FLOORS[module]
    root, *rest = target.split(".")
    if root != "turnkit":
        return broken_foreign_rule(module, root)
    if not rest or (len(rest) == 1 and rest[0] not in FLOORS):
        return None if floor > LIVE else "the package itself, which stands on top of all floors"
    other = rest[0]
    if other not in FLOORS:
        return f"{other} is on no floor"
    if FLOORS[other] > floor:
        return f"imports go down only: {other} is on floor {FLOORS[other]}, {module} on floor {floor}"
    if other != module and FLOORS[other] == floor and other not in NEIGHBOURS.get(module, ()):
        return f"{module} and {other} share floor {floor} and must not know each other"
    if module == "simulator" and other in UNKNOWN_TO_SIMULATOR:
        return f"the simulator must not know {other}, or it would agree with our mistakes"
    return None


def broken_foreign_rule(module: str, root: str) -> str | None:
    """The rule that `module` breaks by importing from outside turnkit."""
    if FLOORS[module] < LIVE and root in NOT_BELOW_LIVE:
        return f"{root}: below floor {LIVE} nothing waits, logs, reads a clock, rolls dice or opens a socket"
    if root in sys.stdlib_module_names:
        return None
    if root in SDKS and module != "interop":
        return f"{root}: a foreign SDK belongs in interop"
    allowed = (
        FOREIGN_LIVE if FLOORS[module] == LIVE else {"msgspec"} | ({"transitions"} if module == "chart" else set())
    )
    return None if FLOORS[module] > LIVE or root in allowed else f"{root} is not for floor {FLOORS[module]}"


def violations(source: str, path: str) -> list[str]:
    """Every broken rule of one file, as `file:line: rule`."""
    module = module_of(path)
    tree = ast.parse(source, path)
    if module == "__init__":
        return [f"{path}:{line}: {rule}" for line, rule in eager_imports(tree, path)]
    if module not in FLOORS:
        return [f"{path}:1: {module} is on no floor: give it one in {Path(__file__).name}"]
    found = ((line, broken_rule(module, target)) for line, target in imports(tree, path))
    return [f"{path}:{line}: {rule}" for line, rule in found if rule]


def eager_imports(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """What the package itself loads at once and should load on first use."""
    for node in tree.body:
        for line, target in imports(node, path) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            module = target.split(".")[1] if target.startswith("turnkit.") else ""
            if FLOORS.get(module, 0) >= LIVE or target.split(".")[0] not in {"turnkit", *sys.stdlib_module_names}:
                yield line, f"{target} must be loaded on first use"


FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "turnkit").rglob("*.py"))


@pytest.mark.parametrize("path", FILES)
def test_imports_keep_to_the_floors(path: str) -> None:
    """No file imports what its floor may not know."""
    assert violations((ROOT / path).read_text(), path) == []


def test_package_is_found() -> None:
    """The walk above sees the package: all floors of it, and the inside of its packages."""
    assert {FLOORS[module_of(path)] for path in FILES if module_of(path) in FLOORS} == {0, 1, 2, 3, 4, 5}
    assert "turnkit/simulator/server.py" in FILES


@pytest.mark.parametrize(
    ("path", "source", "broken"),
    [
        ("turnkit/events.py", "from .wire import decode", "events.py:1: imports go down only: wire is on floor 1"),
        ("turnkit/words.py", "import re\nfrom .events import Update", "words.py:2: words and events share floor 0"),
        ("turnkit/wire.py", "from .policy import Verdict", "wire.py:1: wire and policy share floor 1"),
        ("turnkit/chart.py", "import turnkit.wire", "chart.py:1: chart and wire share floor 1"),
        ("turnkit/policy.py", "from . import machine", "policy.py:1: imports go down only: machine is on floor 2"),
        ("turnkit/policy.py", "from turnkit import TurnMachine", "policy.py:1: the package itself"),
        ("turnkit/policy.py", "import turnkit", "policy.py:1: the package itself"),
        ("turnkit/machine.py", "from .gadget.inner import x", "machine.py:1: gadget is on no floor"),
        ("turnkit/machine.py", "def f():\n    from .session import Session", "machine.py:2: imports go down only"),
        ("turnkit/machine.py", "import time", "machine.py:1: time: below floor 4"),
        ("turnkit/machine.py", "from time import monotonic", "machine.py:1: time: below floor 4"),
        ("turnkit/machine.py", "import os.path", "machine.py:1: os: below floor 4"),
        ("turnkit/machine.py", "import anyio", "machine.py:1: anyio is not for floor 2"),
        ("turnkit/machine.py", "import transitions", "machine.py:1: transitions is not for floor 2"),
        ("turnkit/machine.py", "x = __import__('time')", "machine.py:1: importlib: below floor 4"),
        ("turnkit/trace.py", "from importlib import import_module", "trace.py:1: importlib: below floor 4"),
        ("turnkit/tuner.py", "if TYPE_CHECKING:\n    import logging", "tuner.py:2: logging: below floor 4"),
        ("turnkit/session.py", "from .flux import connect", "session.py:1: session and flux share floor 4"),
        ("turnkit/flux.py", "from .session import Session", "flux.py:1: flux and session share floor 4"),
        ("turnkit/flux.py", "import typer", "flux.py:1: typer is not for floor 4"),
        ("turnkit/session.py", "import deepgram", "session.py:1: deepgram: a foreign SDK belongs in interop"),
        ("turnkit/simulator/server.py", "from ..flux import connect", "server.py:1: simulator and flux share floor 4"),
        ("turnkit/simulator/server.py", "from .. import machine", "server.py:1: the simulator must not know machine"),
        ("turnkit/simulator/__init__.py", "from ..chart import User", "1: the simulator must not know chart"),
        ("turnkit/cli.py", "import pipecat", "cli.py:1: pipecat: a foreign SDK belongs in interop"),
        ("turnkit/gadget.py", "", "gadget.py:1: gadget is on no floor"),
        ("turnkit/gadget/inner.py", "", "gadget/inner.py:1: gadget is on no floor"),
        (
            "turnkit/__init__.py",
            "from .session import Session",
            "1: turnkit.session.Session must be loaded on first use",
        ),
        ("turnkit/__init__.py", "import anyio", "__init__.py:1: anyio must be loaded on first use"),
    ],
)
def test_broken_rule_is_found(path: str, source: str, broken: str) -> None:
    """Each rule, broken once: exactly one finding, which says file, line and rule."""
    (found,) = violations(source, path)
    assert broken in found
    assert found.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("turnkit/events.py", "import msgspec\nfrom .errors import LocalProtocolError"),
        ("turnkit/chart.py", "from transitions import Machine\nfrom .events import NoteKind"),
        ("turnkit/machine.py", "from . import chart, words\nfrom turnkit.policy import Verdict\nfrom math import inf"),
        (
            "turnkit/session.py",
            "import anyio, time, logging\nfrom .logs import logger\nfrom .machine import TurnMachine",
        ),
        (
            "turnkit/simulator/server.py",
            "import websockets\nfrom .settings import S\nfrom . import x\nfrom .. import wire",
        ),
        ("turnkit/interop/pipecat.py", "import pipecat\nfrom ..session import Session\nfrom .twilio import mark"),
        ("turnkit/cli/app.py", "import typer\nfrom .. import __version__, flux\nfrom ..flux import connect"),
        ("turnkit/__init__.py", "from .machine import X\ndef f():\n    from .flux import connect"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    """The checker does not cry wolf."""
    assert violations(source, path) == []


def test_import_loads_nothing_that_waits() -> None:
    """`import turnkit` loads no event loop, socket library, logger or terminal library."""
    heavy = {"anyio", "asyncio", "trio", "websockets", "structlog", "typer", "rich", "socket"}
    code = f"import sys, turnkit; print(*sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    assert run.stdout.strip() == ""


def test_every_module_has_a_test_module() -> None:
    """Each module or package right under turnkit/ is tested by a module of its own name."""
    modules = {module_of(path) for path in FILES} - {"__init__", "__main__"}
    tests = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    assert sorted(module for module in modules if f"test_{module}" not in tests) == []


# What a reader of the repository cannot look up must not be cited in it. Put together here, or this file would cite it.
PRIVATE = [
    "../" + "shared",
    "work/" + "shared",
    "contract" + ".md",
    "flux-" + "protocol",
    "style" + ".md",
    "field" + ".md",
]
EVIDENCE = re.compile(r"\b(W-[0-9A-Z]{2,}|D-[A-Z]{3,})\b|(?i:\b(issue|pr|pull request) ?#\d+)")
CACHES = {".git", ".venv", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "__pycache__", "dist"}


def texts() -> Iterator[tuple[str, str]]:
    """Path and contents of every text file of the repository."""
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT)
        if path.is_file() and not CACHES & set(inside.parts):
            try:
                yield inside.as_posix(), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def test_repository_cites_only_what_its_readers_have() -> None:
    """No file names private material; tests/conftest.py alone may say where recordings are looked for."""
    seen = dict(texts())
    assert {"pyproject.toml", "turnkit/wire.py", "tests/test_layers.py"} <= set(seen)
    cited = [
        f"{path}:{number}: {line.strip()}"
        for path, text in seen.items()
        if path != "tests/conftest.py"
        for number, line in enumerate(text.splitlines(), 1)
        if EVIDENCE.search(line) or any(name in line for name in PRIVATE)
    ]
    assert cited == []
