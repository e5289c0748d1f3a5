"""What it costs to import turnkit."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from tempfile import TemporaryDirectory
from time import perf_counter

from .peer import ROOT
from .rows import Effort, Row, alternate, compared

BOUND = 100 / 15
LAZY = ("anyio", "websockets", "structlog")


def time_start(code: str, environment: dict[str, str]) -> float:
    """Milliseconds from starting an interpreter to its end, with this code in between."""
    begun = perf_counter()
    # Without a timeout, as one would make this wait in steps that double, and measure those.
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=environment)
    return (perf_counter() - begun) * 1000


def loaded(environment: dict[str, str]) -> list[str]:
    """Which of the packages that only live sessions need are loaded by `import turnkit`."""
    code = f"import sys, turnkit; print(*sorted(set(sys.modules) & set({LAZY!r})))"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    ).stdout.split()


def measure(effort: Effort) -> list[Row]:
    """`import turnkit` in a fresh interpreter against one that does nothing, and what it must not load."""
    with TemporaryDirectory() as cache:
        # Compiled, as an installed package is, whatever the environment says; and not into the source tree.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        early = loaded(environment)  # and with it, everything is compiled and in the file cache
        bare, turnkit = (partial(time_start, code, environment) for code in ("pass", "import turnkit"))
        pairs = alternate(bare, turnkit, effort.starts)
    how = f"python -c, wall time, {effort.starts} runs each, all compiled; floor: pass"
    which = f"of {', '.join(LAZY)}" + (f": {', '.join(early)}" if early else "")
    return [
        compared("import", "ms", pairs, how, bound=BOUND),
        Row(name="import, loaded early", unit="packages", turnkit=len(early), bound=0, how=which),
    ]
