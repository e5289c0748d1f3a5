"""`turnkit view`: a recorded call to look at."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from rich.markup import escape

from ..errors import ConfigError
from .app import app
from .output import fail, guard, write_file
from .screen import Screen

_BROWSERS = ("chromium", "google-chrome", "chrome", "chromium-browser", "microsoft-edge", "msedge")
_PNG_SECONDS = 60.0


class Theme(StrEnum):
    """The colours of the page."""

    LIGHT = "light"
    DARK = "dark"


@app.command()
def view(
    trace: Annotated[Path, typer.Argument(help="A trace, or a recording of Flux's frames, one JSON object a line.")],
    out: Annotated[Path | None, typer.Option(help="The HTML file to write; TRACE with .html, if not given.")] = None,
    png: Annotated[Path | None, typer.Option(help="Write a picture of it too (takes a Chromium or Chrome).")] = None,
    perfetto: Annotated[Path | None, typer.Option(help="Write a file for https://ui.perfetto.dev too.")] = None,
    theme: Annotated[Theme | None, typer.Option(help="As the reader's system is, if not given.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """See a call: who had the floor when, what was decided, and why.

    Writes one HTML file that needs nothing else, no network either, and opens it: the user's words and turns, what
    Flux said, drafts, playback and signals, each in a lane. Wheel or + and - zoom, n and p go from turn to turn.
    """
    from ..tools.viewer import page, scene
    from ..tools.viewer.perfetto import perfetto as for_perfetto
    from ..trace import read

    seen = guard(lambda: scene(read(trace)))
    page_path = out or trace.with_name(trace.name.removesuffix(".gz")).with_suffix(".html")
    if page_path.resolve() == trace.resolve():
        fail(f"--out {page_path}: is the trace itself")
    chosen = cast(Literal["light", "dark"] | None, theme and theme.value)
    write_file(page_path, page(seen, chosen).encode())
    console = Screen()
    console.print(f"wrote [bold]{escape(str(page_path))}[/bold]", highlight=False, soft_wrap=True)
    if perfetto is not None:
        write_file(perfetto, for_perfetto(seen))
        console.print(f"wrote [bold]{escape(str(perfetto))}[/bold]", highlight=False, soft_wrap=True)
    if png is not None:
        guard(lambda: picture(page_path, png))
        console.print(f"wrote [bold]{escape(str(png))}[/bold]", highlight=False, soft_wrap=True)
    if show and not _opened(page_path):
        console.print("No browser was found here; open the file yourself.")


def _opened(path: Path) -> bool:
    try:
        return webbrowser.open(path.resolve().as_uri())
    except webbrowser.Error:
        return False


def picture(page: Path, png: Path, width: int = 1400, height: int = 950) -> None:
    """Have a browser without a window take a picture of a page; `width` and `height` in pixels.

    Raises ConfigError if there is no such browser, or it wrote no picture.
    """
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise ConfigError(f"--png: a picture takes one of {', '.join(_BROWSERS[:3])} on the PATH, and there is none")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command += [f"--window-size={width},{height}", f"--screenshot={png.resolve()}", page.resolve().as_uri()]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's own sandbox refuses to run as root
        try:
            run = subprocess.run(command, capture_output=True, timeout=_PNG_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"--png: {browser} did not come to an end: {type(error).__name__}") from None
    if run.returncode or not png.exists():
        raise ConfigError(f"--png {png}: {browser} wrote no picture (exit code {run.returncode})")
