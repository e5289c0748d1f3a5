"""The sources of turnkit, read and not imported: what a name stands for, and what the docstrings say of it.

So that what needs a library that is not installed here is read as well.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MADE_BY = re.compile(r"\bMade by ")
"""What the docstring of a class says that no user makes one of: how that is done is nobody else's business."""
Defined = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Source(NamedTuple):
    """A function or a class, where it is written.

    Attributes:
        path: the file.
        node: its definition.
    """

    path: Path
    node: Defined


class Told(NamedTuple):
    """What is given to something by name, and what is said of it.

    Attributes:
        name: of the function, the method, or the class whose fields they are.
        given: the names of its parameters or fields, but those that are private.
        said: the docstrings that may speak of them.
    """

    name: str
    given: list[str]
    said: str

    @property
    def unsaid(self) -> list[str]:
        """What is given without a word: neither a section of arguments has it, nor a sentence in `backticks`."""
        explained = r"^\s*{0}:|`{0}\b|\b{0}`"
        return [name for name in self.given if not re.search(explained.format(name), self.said, re.MULTILINE)]


@cache
def parsed(path: Path) -> ast.Module:
    """A file, read once."""
    return ast.parse(path.read_text("utf-8"))


def source_of(path: Path, name: str) -> Source | None:
    """Where a function or class that a file knows by name is defined, be it in what it imports; else None."""
    if here := [node for node in parsed(path).body if isinstance(node, Defined) and node.name == name]:
        return Source(path, here[-1])  # of overloads, what runs
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            if node.names[0].name == "*" and (there := _file_of(path, node)) and (found := source_of(there, name)):
                return found
            for alias in node.names:
                if (alias.asname or alias.name) == name and (there := _file_of(path, node)):
                    return None if there == path else source_of(there, alias.name)
    return None


def _file_of(path: Path, node: ast.ImportFrom) -> Path | None:
    """The file that is imported from, if it is turnkit's."""
    if node.level:
        where = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
    else:
        where = ROOT.joinpath(*(node.module or "").split("."))
    found = (where / "__init__.py", where.with_suffix(".py"))
    return next((file for file in found if file.is_file() and (ROOT / "turnkit") in file.parents), None)


def bases_of(source: Source) -> Iterator[Source]:
    """The classes of turnkit that a class derives from, the nearest first."""
    for base in getattr(source.node, "bases", ()):
        name = base.value if isinstance(base, ast.Subscript) else base
        found = source_of(source.path, name.id) if isinstance(name, ast.Name) else None
        if found and found.node is not source.node:
            yield found
            yield from bases_of(found)


def told(source: Source) -> Iterator[Told]:
    """All that a user gives to a function or a class: to it, to its public methods, and as its fields."""
    node, doc = source.node, ast.get_docstring(source.node) or ""
    if not isinstance(node, ast.ClassDef):
        yield Told(node.name, _parameters(node), _with_references(source.path, doc))
        return
    bases = list(bases_of(source))
    whole = "\n".join([doc, *(ast.get_docstring(base.node) or "" for base in bases)])
    yield Told(node.name, _fields(node), whole)
    methods = {one.name: one for one in node.body if isinstance(one, FUNCTIONS)}  # of overloads, what runs
    for method in methods.values():
        made = method.name == "__init__" and not MADE_BY.search(doc) and source.path.name != "errors.py"  # are raised
        if made or (method.name[0] != "_" and not _is_drawn(method)):
            said = [ast.get_docstring(method) or "", whole if method.name == "__init__" else ""]
            said += [ast.get_docstring(one) or "" for base in bases if (one := _method(base, method.name))]
            every = _with_references(source.path, "\n".join(said))
            yield Told(f"{node.name}.{method.name}", _parameters(method), every)


def _is_drawn(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether Hypothesis alone calls it, with what it draws."""
    names = {ast.unparse(one.func) for one in method.decorator_list if isinstance(one, ast.Call)}
    return bool(names & {"rule", "initialize"})


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    taken = function.args
    every = [*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg]
    return [one.arg for one in every if one and one.arg not in ("self", "cls") and one.arg[0] != "_"]


def _fields(node: ast.ClassDef) -> list[str]:
    """Those with an annotation, but those with a docstring of their own."""
    fields = []
    for here, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(here, ast.AnnAssign) and "ClassVar" not in ast.unparse(here.annotation):
            explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            fields += [] if explained or ast.unparse(here.target)[0] == "_" else [ast.unparse(here.target)]
    return fields


def _method(source: Source, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    found = (one for one in getattr(source.node, "body", ()) if isinstance(one, FUNCTIONS) and one.name == name)
    return next(found, None)


def _with_references(path: Path, said: str) -> str:
    """Who writes "See `Observer.fed`" has explained as much as stands there."""
    for owner, name in re.findall(r"[Ss]ee `([A-Z]\w*)\.(\w+)`", said):
        there = source_of(path, owner) or source_of(ROOT / "turnkit/session/__init__.py", owner)
        method = _method(there, name) if there else None
        if method is None:
            raise AssertionError(f"{path}: {owner}.{name} is not there to be seen")
        said += ast.get_docstring(method) or ""
    return said
