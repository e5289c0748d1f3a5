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


@pytest.mark.parametrize("package", ["turnkit", "turnkit.trace", "turnkit.testing"])
def test_completion_shows_what_is_not_loaded_yet(package: str) -> None:
    """`dir` has every name that the package gives, before any of them is loaded, and loads none."""
    code = (
        f"import sys, {package} as package; before = set(sys.modules); names = dir(package); "
        "print(sorted(set(package.__all__) - set(names)), names == sorted(set(names)), before == set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["[]", "True", "True"]


def test_completion_shows_the_names_of_the_module_too() -> None:
    """What a module shows without being asked for anything special is not lost."""
    assert {"__version__", "trace", "Session", "TurnMachine", "connect"} <= set(dir(turnkit))
