"""What the host gives to be called: refused when it is given if it certainly cannot do, and told apart when it is run.

A function that only looks odd is let in: a plain one may return what another gave it to await, and a mock anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any

from ..errors import ConfigError, LocalProtocolError

_TEXT = (str, "str", bytes, "bytes")
_NOTHING = (None, "None", type(None))


def check_callback(setting: str, function: object) -> None:
    """Check that a callback can be called with one signal, and does something then.

    Raises:
        ConfigError: it certainly cannot.
    """
    if not callable(function):
        raise ConfigError(f"{setting}: the callback must be callable, and is {function!r}")
    inner = _innermost(function)
    if inspect.isasyncgenfunction(inner) or _is_generator_function(inner):
        raise ConfigError(f"{setting}: the callback {function!r} is a generator function, which nobody iterates")
    _check_arguments(setting, function, "signal")


def check_async(setting: str, function: object, *given: str) -> None:
    """Check that a function can be awaited when it is called with these.

    Args:
        setting: what it was given as, such as `respond`.
        function: what was given.
        given: the names of what it will be called with, by position.

    Raises:
        ConfigError: it certainly cannot.
    """
    shown = f"{setting}={function!r}"
    if not callable(function):
        raise ConfigError(f"{shown}: must be an async function")
    inner = _innermost(function)
    if inspect.isasyncgenfunction(inner) or _is_generator_function(inner):
        rather = "say each piece with `await reply.say(...)`" if len(given) == 1 else "await each piece"
        raise ConfigError(f"{shown}: must be an async function, and yields: {rather} instead")
    if isinstance(function, type) and not hasattr(function, "__await__"):
        raise ConfigError(f"{shown}: must be an async function, not a class")
    if not inspect.iscoroutinefunction(inner) and _returns_nothing(inner):
        raise ConfigError(f"{shown}: must be an async function: write `async def`")
    if len(given) == 1 and _annotated(inner) in _TEXT:
        raise ConfigError(f"{shown}: must say the text with `await reply.say(...)`, and is to return it")
    _check_arguments(setting, function, *given)


def is_async(function: object) -> bool:
    """Whether calling it certainly makes a coroutine."""
    return inspect.iscoroutinefunction(_innermost(function))


async def awaited(function: Callable[..., Any], *given: object) -> object:
    """Call a function and await what it returns.

    Raises:
        LocalProtocolError: it returned what nobody can await.
    """
    made = function(*given)
    if not inspect.isawaitable(made):
        if inspect.isasyncgen(made) or inspect.isgenerator(made):
            rule = "must be an async function that says each piece with `await reply.say(...)`, and yields"
        else:
            rule = f"must be an async function, and returned {type(made).__name__}, which cannot be awaited"
        raise LocalProtocolError(f"{getattr(function, '__qualname__', type(function).__qualname__)}: {rule}")
    return await made


def _innermost(function: Any) -> object:
    """The function behind partials, methods and objects that can be called."""
    while True:
        if isinstance(function, partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif inspect.isfunction(function) or inspect.isbuiltin(function) or inspect.isclass(function):
            return function
        else:
            call = type(function).__call__
            if not inspect.isfunction(call):
                return function
            function = call


def _is_generator_function(function: object) -> bool:
    # Decorated with `types.coroutine`, it can be awaited.
    return inspect.isgeneratorfunction(function) and not function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE


def _annotated(function: object) -> object:
    """What a function says that it returns; a function around another says what that one does, and is not believed."""
    if not inspect.isfunction(function) or hasattr(function, "__wrapped__"):
        return inspect.Signature.empty
    return function.__annotations__.get("return", inspect.Signature.empty)


def _returns_nothing(function: object) -> bool:
    """Whether a plain function certainly returns nothing, or text, and so nothing to await."""
    if not inspect.isfunction(function) or inspect.isgeneratorfunction(function):
        return False
    return _annotated(function) in (*_TEXT, *_NOTHING) or _has_no_return(function.__code__)


_LOADS = ("LOAD_CONST", "LOAD_COMMON_CONSTANT")  # the second for None too, from Python 3.15 on


def _has_no_return(code: CodeType) -> bool:
    """Whether no way through the code ends with a value."""
    import dis  # for those who gave a plain function

    before = None
    for step in dis.get_instructions(code):
        if step.opname == "RETURN_CONST":
            if step.argval is not None:
                return False
        elif step.opname == "RETURN_VALUE" and (
            before is None or step.is_jump_target or before.opname not in _LOADS or before.argval is not None
        ):
            return False
        before = step
    return True


def _check_arguments(setting: str, function: Callable[..., Any], *given: str) -> None:
    try:
        # Of a function around another its own arguments, not those of the other.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return  # written in C, and nobody knows
    try:
        signature.bind(*given)
    except TypeError as error:
        takes = ", ".join(given)
        raise ConfigError(f"{setting}: {function!r} must take ({takes}): {error}") from None
