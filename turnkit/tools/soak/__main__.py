"""The simulator of a soak, in a process of its own: what `turnkit.tools.soak.peer` starts."""

from .peer import main

if __name__ == "__main__":
    main()
