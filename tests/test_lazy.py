"""Names that are loaded on first use."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

import pytest

import turnkit.trace
from turnkit.lazy import on_first_use


def test_names_and_modules_are_found() -> None:
    """A name is what its module has by it; one that is its module's own is the module."""
    get, _ = on_first_use("turnkit.trace", {"read": "reader", "records": "records"})
    assert get("read") is turnkit.trace.reader.read
    assert get("records") is turnkit.trace.records


def test_an_unknown_name_is_said_to_be_missing() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match=r"^module 'turnkit.trace' has no attribute 'raed'$"):
        on_first_use("turnkit.trace", {})[0]("raed")
    with pytest.raises(ImportError, match="raed"):
        exec("from turnkit.trace import raed")


def test_a_package_gives_all_that_it_names() -> None:
    """In whatever order they are asked for, and the same each time: no name is hidden by a module's."""
    for name in (*turnkit.trace.__all__, *reversed(turnkit.trace.__all__)):
        assert not isinstance(getattr(turnkit.trace, name), ModuleType)


def test_a_package_loads_only_what_is_asked_for() -> None:
    """The recorder comes without the replay."""
    code = "import sys; from turnkit.trace import Recorder; print('turnkit.trace.replayer' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("package", ["turnkit.trace", "turnkit.testing"])
def test_completion_shows_what_is_not_loaded_yet(package: str) -> None:
    """`dir` has every name that the package gives, before any of them is loaded, and loads none."""
    assert listed(package) == (["[]", "True"], [])


def test_completion_of_turnkit_loads_the_engine() -> None:
    """Whose names it does not know before; and nothing live."""
    (missing, sorted_once), loaded = listed("turnkit")
    assert (missing, sorted_once) == ("[]", "True")
    assert {"turnkit.engine", "turnkit.wire"} <= set(loaded)
    assert not {"turnkit.session", "turnkit.flux", "anyio"} & set(loaded)


def listed(package: str) -> tuple[list[str], list[str]]:
    """What `dir` leaves out, whether it has each name once and in order; and what it loads."""
    code = (
        f"import sys, {package} as package; before = set(sys.modules); names = dir(package); "
        "print(*sorted(set(sys.modules) - before)); "
        "print(sorted(set(package.__all__) - set(names)), names == sorted(set(names)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded, told = run.stdout.splitlines()
    return told.split(), loaded.split()


@pytest.mark.parametrize("name", ["checks.shown", "errors.ConfigError", "turns.events.BargeIn", "wire.decode"])
def test_what_the_engine_stands_on_goes_by_its_name(name: str) -> None:
    """After `import turnkit` alone, as if it had been imported with it."""
    code = f"import turnkit; print(turnkit.{name}.__module__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == f"turnkit.{name.rpartition('.')[0]}"


def test_a_name_of_the_engine_is_found_once() -> None:
    """Then it stands in the package: who asks in a loop does not pay each time."""
    code = "import turnkit; turnkit.BargeIn; print('BargeIn' in vars(turnkit), 'Hold' in vars(turnkit))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["True", "False"]


def test_completion_shows_the_names_of_the_module_too() -> None:
    """What a module shows without being asked for anything special is not lost."""
    assert {"__version__", "trace", "Session", "TurnMachine", "connect"} <= set(dir(turnkit))
