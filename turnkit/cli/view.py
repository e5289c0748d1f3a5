"""`turnkit view`: a recorded call to look at, or an index of many."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import webbrowser
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, cast

import typer
from rich.markup import escape

from ..checks import is_url, shown_path
from ..errors import ConfigError
from .commands import app
from .found_files import SUFFIXES, found, last_name
from .layout import tell
from .output import fail, guard
from .private_file import check_spared, write_private
from .screen import Screen

_BROWSERS = ("chromium", "google-chrome", "chrome", "chromium-browser", "microsoft-edge", "msedge")
_PNG_SECONDS = 60.0


class Theme(StrEnum):
    """The colours of the page."""

    LIGHT = "light"
    DARK = "dark"


@app.command()
def view(
    trace: Annotated[
        str,
        typer.Argument(
            help="A trace, or a recording of Flux's frames, one JSON object a line; a directory of them; or the URL of "
            "either, such as s3://bucket/calls."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The HTML file to write; TRACE with .html, or index.html in the directory, if not given. Of a URL, "
            "its last name with .html, here.",
        ),
    ] = None,
    audio: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The call's audio, a WAV file; the one beside TRACE that is called the same, if not given.",
        ),
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a picture of it too (takes a Chromium or Chrome).")
    ] = None,
    perfetto: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a file for https://ui.perfetto.dev too.")
    ] = None,
    theme: Annotated[
        Theme | None, typer.Option(help="Colours of the page; if not given, as the reader's system has them.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many processes, for a directory.")] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """See a call: who had the floor when, what was decided, and why. Of a directory: every call, and an index of them.

    Writes HTML files that need nothing else, no network either, and opens the first: the transcript beside the user's
    words and turns, what Flux said, drafts, playback and decisions, each in a lane, and the audio if it was kept.
    Wheel or + and - zoom, / searches, n and p go through what was said, w, f and b to waits, failures and barge-ins.
    Only you may read the files, as they hold what was said.
    """
    chosen = cast(Literal["light", "dark"] | None, theme and theme.value)
    if os.path.isdir(trace) or (is_url(trace) and not trace.endswith(SUFFIXES)):
        if audio is not None or perfetto is not None:
            fail(f"{shown_path(trace)}: is a directory, and --audio and --perfetto are for one call")
        from .view_directory import view_directory

        page_path = out or (Path(f"{last_name(trace)}.html") if is_url(trace) else Path(trace) / "index.html")
        paths = found([trace])
        _check_spared(paths, page_path, png, perfetto)
        count, left_out = view_directory(trace, paths, page_path, chosen, jobs)
        about = f" and {count} page{'' if count == 1 else 's'}" + (f"; {left_out} left out" if left_out else "")
    else:
        name = Path(last_name(trace)) if is_url(trace) else Path(trace)
        page_path = out or name.with_name(name.name.removesuffix(".gz").removesuffix(".zst")).with_suffix(".html")
        _check_spared([trace], page_path, png, perfetto)
        _view_call(trace, page_path, audio, perfetto, chosen)
        about = ""
    # What is to hold the page shall hold nothing else.
    console = Screen(stderr=any(path is not None and _is_stdout(path) for path in (page_path, perfetto)))
    console.print(f"wrote [bold]{escape(str(page_path))}[/bold]{about}", highlight=False, soft_wrap=True)
    if perfetto is not None:
        console.print(f"wrote [bold]{escape(str(perfetto))}[/bold]", highlight=False, soft_wrap=True)
    if png is not None:
        guard(lambda: picture(page_path, png))
        console.print(f"wrote [bold]{escape(str(png))}[/bold]", highlight=False, soft_wrap=True)
    if show and not _opened(page_path):
        tell(console, "No browser was found here; open the file yourself.")


def _check_spared(traces: Sequence[str], page: Path, png: Path | None, perfetto: Path | None) -> None:
    for path, option in ((page, "--out"), (png, "--png"), (perfetto, "--perfetto")):
        if path is not None:
            check_spared(path, option, traces)


def _is_stdout(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):
        return False


def _view_call(
    trace: str, page_path: Path, audio: Path | None, perfetto: Path | None, theme: Literal["light", "dark"] | None
) -> None:
    from ..tools.viewer import page, scene
    from ..tools.viewer.perfetto import perfetto as for_perfetto
    from ..trace import read
    from .call_sound import sound_of

    seen = guard(lambda: scene(read(trace)))
    seen.sound = guard(lambda: sound_of(Path(trace), page_path, audio))
    write_private(page_path, page(seen, theme).encode(), "--out")
    if perfetto is not None:
        write_private(perfetto, for_perfetto(seen), "--perfetto")


def _opened(path: Path) -> bool:
    try:
        return webbrowser.open(path.resolve().as_uri())
    except webbrowser.Error:
        return False


def picture(page: Path, png: Path, width: int = 1400, height: int = 950) -> None:
    """Have a browser without a window take a picture of a page; `width` and `height` in pixels.

    Only its owner may read the picture. Raises ConfigError if there is no such browser, or it wrote none.
    """
    browser = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        named = ", ".join(_BROWSERS[:3])
        raise ConfigError(f"--png: a picture takes {named} or the like on the PATH, such as apt-get install chromium")
    write_private(png, b"", "--png")  # it shows what was said; and what cannot be written is not the browser's fault
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
        command += [f"--window-size={width},{height}", f"--screenshot={png.resolve()}", page.resolve().as_uri()]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium's own sandbox refuses to run as root
        umask = -1 if os.name == "nt" else 0o077  # of browsers that make the file anew
        try:
            run = subprocess.run(command, capture_output=True, timeout=_PNG_SECONDS, check=False, umask=umask)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConfigError(f"--png: {browser} did not come to an end: {type(error).__name__}") from None
    if run.returncode or not png.exists() or not png.stat().st_size:
        raise ConfigError(f"--png {png}: {browser} wrote no picture (exit code {run.returncode})")
