"""What `turnkit` gives of the engine, and when."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import turnkit
from turnkit import engine


def printed(code: str) -> list[str]:
    """The words that a fresh interpreter prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return run.stdout.split()


def test_turnkit_gives_all_of_it() -> None:
    """The same things, and no name twice."""
    assert len(engine.__all__) == len(set(engine.__all__)) < len(turnkit.__all__) == len(set(turnkit.__all__))
    assert all(getattr(turnkit, name) is getattr(engine, name) for name in engine.__all__)


def test_one_name_brings_the_engine_and_nothing_live() -> None:
    """In a fresh interpreter, by `from turnkit import`."""
    code = "import sys; from turnkit import BargeIn; print(*(name for name in sys.modules if 'turnkit' in name))"
    loaded = printed(code)
    assert {"turnkit.engine", "turnkit.turns.machine", "turnkit.wire"} <= set(loaded)
    assert not {"turnkit.session", "turnkit.flux", "turnkit.speaking", "turnkit.logs"} & set(loaded)


def test_a_star_brings_everything() -> None:
    """Though no list of names stands in the package."""
    code = (
        "from turnkit import *; import turnkit; "
        "print(*(name for name in turnkit.__all__ if globals()[name] is None), len(turnkit.__all__) > 80)"
    )
    assert printed(code) == ["True"]


def test_type_checkers_see_what_there_is() -> None:
    """What is imported for them by name is what is loaded on first use, from the same module."""
    tree = ast.parse(Path(turnkit.__file__).read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    imports = [node for node in ast.walk(blocks[0]) if isinstance(node, ast.ImportFrom)]
    by_name = {alias.asname: node.module for node in imports for alias in node.names if alias.name != "*"}
    on_first_use = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_ON_FIRST_USE"
    )
    assert by_name == {name: module for name, module in on_first_use.items() if name != module}
    stars = {node.module for node in imports if node.names[0].name == "*"}
    assert stars == {"engine", "turns.policy.barge_in", "turns.policy.speculation"}
