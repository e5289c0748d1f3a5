"""The files of the package among each other: none imports itself by a detour, none reads what another calls private."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.package_source import FILES, imports, tree_of


def module_name(path: str) -> str:
    """The dotted name under which a file is imported."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


MODULES = {module_name(path): path for path in FILES}


def neighbours(path: str) -> set[str]:
    """The files of the package that a file imports from, for types only too; a package counts as its `__init__`."""
    found = set()
    for _, target in imports(tree_of(path), path):
        parent = target.rpartition(".")[0]
        other = MODULES.get(target) or MODULES.get(parent)
        # `from . import x` in a package's own file names the file x, not the package that is being made of it.
        if other is not None and other != path:
            found.add(other)
    return found


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of files of which each leads to each other one, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(arrows[node]):
            if other not in order:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == order[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(arrows):
        if node not in order:
            visit(node)
    return found


def test_no_files_import_each_other_in_a_circle() -> None:
    """Whichever file one begins with, reading on what it imports comes to an end."""
    assert circles({path: neighbours(path) for path in FILES}) == []


def test_a_circle_is_found() -> None:
    """The finder finds the whole of one, and nothing where there is none."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def private(name: str) -> bool:
    """Whether a name is one file's own business."""
    return name.startswith("_") and not name.startswith("__")


def foreign_names(tree: ast.AST) -> Iterator[str]:
    """Each underscore name that a file reads and does not define, as `line: code`."""
    # Of named tuples and of asyncio, public by their documentation.
    own = {"_fields", "_asdict", "_replace", "_enter_task", "_leave_task"}
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                own.add(name)
            case ast.Constant(value=str(name)):  # __slots__
                own.add(name)
            case _:
                pass
    heirs = any(isinstance(node, ast.ClassDef) and node.bases for node in ast.walk(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            if heirs and isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}:
                continue  # what a class inherits is its own
            yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if private(alias.name))


@pytest.mark.parametrize("path", FILES)
def test_no_file_reads_the_underscore_names_of_another(path: str) -> None:
    """What is marked private is read where it is defined, and nowhere else; os._exit has no public name."""
    assert [found for found in foreign_names(tree_of(path)) if not found.endswith(": os._exit")] == []


def test_a_foreign_underscore_name_is_found() -> None:
    """Imported, and read off an object; one's own are left alone."""
    source = "from .a import _b\nclass C:\n    def _d(self): return self._d\ndef f(x): return x._e + C()._d\n"
    assert list(foreign_names(ast.parse(source))) == ["1: _b", "4: x._e"]
