"""The `turnkit` command, also as `python -m turnkit`; to be loaded by nobody else, as it takes Ctrl-C at once."""

from __future__ import annotations

from .interrupts import end_at_once

end_at_once()

from .cli import main  # noqa: E402  (from here on it takes its time)

__all__ = ["main"]

if __name__ == "__main__":
    main()
