"""Names of a package that are loaded when somebody first asks for them."""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # as in `turnkit`, and for the same reason
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def on_first_use(
    package: str, modules: Mapping[str, str], *, rest: str = ""
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and the `__dir__` of a package whose names are loaded on first use.

    Args:
        package: its `__name__`.
        modules: each such name, and the module in the package that has it; where they are the same, the name stands
            for the module itself. No other name may be that of a module: once loaded, the module would go by it.
        rest: a module in the package whose `__all__` the package gives too, and which is loaded for any of them, and
            to list them, and before a module that `modules` names; then `__all__` of the package is found like its
            names, and must not stand in it.

    Returns:
        The function that loads a name, which raises AttributeError for any other; and the one that lists the names of
        the package, loaded or not, so that completion shows them.
    """

    def load(name: str) -> object:
        module = modules.get(name)
        if module is not None:
            if rest and name == module:
                import_module(f".{rest}", package)  # and with it what stands in that module, such as `turns.events`
            loaded = import_module(f".{module}", package)
            return loaded if name == module else getattr(loaded, name)
        if rest and name == "__all__":
            return given()
        if rest and not name.startswith("_") and name in (found := import_module(f".{rest}", package)).__all__:
            # Kept, so that the next one who asks is as quick as if it had been imported.
            return vars(sys.modules[package]).setdefault(name, getattr(found, name))
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def given() -> list[str]:
        further = import_module(f".{rest}", package).__all__ if rest else ()
        return sorted({*(name for name, module in modules.items() if not rest or name != module), *further})

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules, *given()})

    return load, names
