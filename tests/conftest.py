"""What every test may ask for."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from tests.support.effort import VARIABLE, everything, left_to_the_night
from turnkit.testing import VirtualTimeLoop, virtual_time

__all__ = ["VirtualTimeLoop"]  # for the tests that run loops of their own

TRACES = Path(__file__).resolve().parents[2] / "shared" / "traces"

LEFT: Counter[str] = Counter()  # how many tests were left to the night, by reason

# By day the same examples each time: what chance finds is found at night, and stays in .hypothesis.
hypothesis.settings.register_profile("day", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("night", max_examples=100, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--all` runs what is left to the night too."""
    parser.addoption("--all", action="store_true", help="run the tests that are marked slow or sampled too, whole")


def pytest_configure(config: pytest.Config) -> None:
    """What the option says is known before a test is imported, in every process."""
    if config.getoption("--all"):
        os.environ[VARIABLE] = "all"
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in what a script began with &; tests send it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.load_profile("night" if everything() else "day")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """A single file, or a test by its name, runs where a debugger and a print reach it."""
    few = len(config.args) == 1 and ("::" in config.args[0] or config.args[0].endswith(".py"))
    return 0 if few or config.getoption("capture") == "no" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """By day leave what is left to the night, unless somebody names it."""
    left = left_to_the_night(items)
    if everything() or any("::" in arg for arg in config.args):
        return
    LEFT.update({reason: len(those) for reason, those in left.items()})
    gone = {item for those in left.values() for item in those}
    config.hook.pytest_deselected(items=list(gone))
    items[:] = [item for item in items if item not in gone]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells what it left; each of them left the same."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left"] = dict(LEFT)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What the workers left is known here."""
    LEFT.update(Counter(getattr(node, "workeroutput", {}).get("left", {})) - LEFT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line says what was not run."""
    if LEFT:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(LEFT.items()))
        terminalreporter.write_line(f"left to --all: {LEFT.total()} tests ({reasons})")


@pytest.fixture
def preamble() -> Path:
    """The server frames of one real Flux session, a JSON object a line."""
    return _trace("preamble.jsonl")


@pytest.fixture
def preamble_wav() -> Path:
    """The audio of that session: 19.1 s of 16 kHz mono linear16."""
    return _trace("preamble-16k.wav")


def _trace(name: str) -> Path:
    path = TRACES / name
    if not path.exists():
        pytest.skip(f"the recorded Flux session {name} is not part of the repository and is not beside it")
    return path


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Every async test runs on asyncio and on trio, both on a clock that jumps whenever all tasks wait."""
    return virtual_time(request.param)


@pytest.fixture(autouse=True)
def logging_as_found() -> Iterator[None]:
    """A test that configures structlog, or captures its entries, leaves no trace for the next."""
    yield
    structlog.reset_defaults()
