"""Names of a package that are loaded when somebody first asks for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def on_first_use(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package whose names are loaded on first use.

    Args:
        package: its `__name__`.
        modules: each such name, and the module in the package that has it; where they are the same, the name stands
            for the module itself. No other name may be that of a module: once loaded, the module would go by it.

    Returns:
        The function, which raises AttributeError for any other name.
    """

    def load(name: str) -> object:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        loaded = import_module(f".{module}", package)
        return loaded if name == module else getattr(loaded, name)

    return load
