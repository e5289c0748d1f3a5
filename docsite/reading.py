"""What mkdocstrings would not see: how a struct is made, and what the members of an enumeration mean.

A `msgspec.Struct` gets its `__init__` from msgspec, so that the source has none to show; and enumerations say in a
comment beside each member what it means. Of a class of which turnkit alone makes one, its docstring says "Made by ...",
and how it is made is not shown. Run by griffe, which reads the source for mkdocstrings (`mkdocs.yml`, `extensions`).
"""

from __future__ import annotations

from typing import Any

import griffe

_STRUCT, _ENUM = "msgspec.Struct", {"enum.Enum", "enum.StrEnum"}


class Reading(griffe.Extension):  # type: ignore[misc]  # griffe is not installed where types are checked
    """Signatures of structs, and the members of enumerations as attributes."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **kwargs: Any) -> None:
        """Once all is read, so that what a class derives from is known."""
        for cls in list(_classes(pkg)):
            if cls.docstring and "Made by " in cls.docstring.value:
                cls.members.pop("__init__", None)
                cls.bases.clear()  # nor how what it derives from is made
            elif _derives(cls, {_STRUCT}) and "__init__" not in cls.members:
                _add_init(cls)
            elif _derives(cls, _ENUM):
                _tell_members(cls)


def _classes(inside: griffe.Module | griffe.Class) -> Any:
    for member in inside.members.values():
        if member.is_alias:
            continue
        if isinstance(member, griffe.Class):
            yield member
        if isinstance(member, (griffe.Module, griffe.Class)):
            yield from _classes(member)


def _bases(cls: griffe.Class) -> list[griffe.Class | str]:
    """What it derives from: classes of this package, and the names of others."""
    found: list[griffe.Class | str] = []
    for base in cls.bases:
        path = base if isinstance(base, str) else base.canonical_path
        inside = path.removeprefix(f"{cls.package.path}.")
        try:
            known = path if inside == path else cls.package[inside]
        except KeyError:
            known = path
        found.append(known.final_target if not isinstance(known, str) and known.is_alias else known)
    return found


def _derives(cls: griffe.Class, roots: set[str]) -> bool:
    return any(base in roots if isinstance(base, str) else _derives(base, roots) for base in _bases(cls))


def _fields(cls: griffe.Class) -> dict[str, griffe.Parameter]:
    """The fields, those of its bases first, as parameters."""
    found: dict[str, griffe.Parameter] = {}
    for base in reversed(_bases(cls)):
        if not isinstance(base, str):
            found |= _fields(base)
    by_name = griffe.ParameterKind.keyword_only
    kind = by_name if str(cls.keywords.get("kw_only")) == "True" else griffe.ParameterKind.positional_or_keyword
    for name, member in cls.members.items():
        if isinstance(member, griffe.Attribute) and member.annotation is not None and not name.startswith("_"):
            if "ClassVar" in str(member.annotation) or "property" in member.labels:
                continue
            found.pop(name, None)
            default = _default(member.value)
            found[name] = griffe.Parameter(name, annotation=member.annotation, kind=kind, default=default)
    return found


def _default(value: Any) -> Any:
    """What a field is if it is not given: what makes it is called as it will be."""
    if isinstance(value, griffe.ExprCall) and str(value.function) in ("msgspec.field", "field"):
        for argument in value.arguments:
            if isinstance(argument, griffe.ExprKeyword):
                return f"{argument.value}()" if argument.name == "default_factory" else argument.value
    return value


def _add_init(cls: griffe.Class) -> None:
    fields = _fields(cls)
    if not fields:
        return
    kinds = griffe.ParameterKind
    ordered = sorted(fields.values(), key=lambda one: one.kind is kinds.keyword_only)
    first = griffe.Parameter("self", kind=kinds.positional_or_keyword)
    init = griffe.Function("__init__", parameters=griffe.Parameters(first, *ordered), returns="None")
    cls.set_member("__init__", init)


def _tell_members(cls: griffe.Class) -> None:
    told = []
    for name, member in cls.members.items():
        if isinstance(member, griffe.Attribute) and not name.startswith("_") and member.value is not None:
            _, _, comment = member.source.partition("  # ")
            told.append(f"    {name}: {comment.strip() or f'{member.value}'}")
    if told and cls.docstring and "Attributes:" not in cls.docstring.value:
        cls.docstring.value += "\n\nAttributes:\n" + "\n".join(told)
