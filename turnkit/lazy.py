"""Names of a package that are loaded when somebody first asks for them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def on_first_use(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package whose names are loaded on first use.

    Args:
        package: its `__name__`.
        modules: each such name, and the module in the package that has it; where they are the same, the name stands
            for the module itself. No other name may be that of a module: once loaded, the module would go by it.

    Returns:
        The function that loads a name, which raises AttributeError for any other; and the one that lists the names of
        the package, loaded or not, so that completion shows them.
    """

    def load(name: str) -> object:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        loaded = import_module(f".{module}", package)
        return loaded if name == module else getattr(loaded, name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names
