"""Policies as text, and back: only what turnkit itself ships, and nothing is ever executed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import ConfigError
from ..turns.policy import BARGE_IN_POLICIES, NAMED_PHRASES, SPECULATION_POLICIES, BuiltIn, DraftCounts, all_of

_BUILT_INS: tuple[BuiltIn[Any], ...] = (*BARGE_IN_POLICIES, *SPECULATION_POLICIES)
_BUILDERS: dict[str, Callable[..., Any]] = {
    all_of.__name__: all_of,
    DraftCounts.__name__: DraftCounts,
    **{built_in.kind.__name__: built_in.kind for built_in in _BUILT_INS},
}
_LONGEST = 100_000  # characters


def policy_to_text(policy: object) -> str:
    """The Python that builds a policy of turnkit's own; of any other policy only its name, as `<module.name>`."""
    try:
        text = repr(policy)
        if policy_from_text(text) == policy:
            return text
    except Exception:  # what somebody's own `__repr__` or `__eq__` raises says no more than that it is none of ours
        pass
    named: Any = policy if isinstance(getattr(policy, "__qualname__", None), str) else type(policy)
    return f"<{getattr(named, '__module__', '?')}.{named.__qualname__}>"


def policy_from_text(text: str, name: str = "policy") -> Any:
    """The policy that a text builds, as `policy_to_text` wrote it.

    Args:
        text: The Python that builds it; only names of turnkit's own policies and literals are understood.
        name: What messages call the setting, or the option, that the text stands for.

    Raises:
        ConfigError: It is none of turnkit's own policies, or has settings that cannot work.
    """
    try:
        if len(text) > _LONGEST:
            raise ValueError("too long")
        return _built(ast.parse(text, mode="eval").body)
    except ConfigError as error:
        raise ConfigError(f"{name}={text[:200]}: {error}") from None
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise ConfigError(
            f"{name}={text[:200]}: is not one of turnkit's own policies with plain settings, so a trace cannot "
            f"bring it back; pass the policy itself as {name}=..."
        ) from None


def _built(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None):
            return node.value
        case ast.Name(id=constant) if constant in NAMED_PHRASES:
            return NAMED_PHRASES[constant]
        case ast.Set(elts=elements):
            return frozenset(_built(element) for element in elements)
        case ast.Tuple(elts=elements):
            return tuple(_built(element) for element in elements)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _built(left) | _built(right)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Call(func=ast.Name(id=builder), args=positional, keywords=named) if builder in _BUILDERS:
            settings = {keyword.arg: _built(keyword.value) for keyword in named if keyword.arg is not None}
            if len(settings) != len(named):
                raise ValueError(builder)
            return _BUILDERS[builder](*(_built(argument) for argument in positional), **settings)
    raise ValueError(type(node).__name__)


def phrases_of(policy: object) -> Iterator[str]:
    """The phrases that a policy, or one inside it, decides by."""
    phrases = getattr(policy, "phrases", None)
    if isinstance(phrases, (set, frozenset)):
        yield from (phrase for phrase in phrases if isinstance(phrase, str))
    for inner in (getattr(policy, "then", None), *(getattr(policy, "policies", None) or ())):
        if inner is not None and inner is not policy:
            yield from phrases_of(inner)
