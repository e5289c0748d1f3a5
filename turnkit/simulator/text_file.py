"""`text_of`: a file that a simulator plays from, read whole."""

from __future__ import annotations

from pathlib import Path

from ..checks import check_regular_file, os_problem, shown_path
from ..errors import ConfigError


def text_of(what: str, path: str | Path) -> str:
    """The text of a file.

    Args:
        what: what it is, as the caller knows it.
        path: where it is.

    Raises:
        ConfigError: it cannot be read, or holds no text in UTF-8; the message names it, and the reason.
    """
    check_regular_file(what, path)
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        problem = f"must be text in UTF-8, and byte {error.start} is none of it"
    except OSError as error:
        problem = f"cannot be read: {os_problem(error)}"
    except ValueError:
        problem = "cannot be read: no file has such a name"
    raise ConfigError(f"{what} {shown_path(path)!r}: {problem}")
