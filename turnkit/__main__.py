"""`python -m turnkit` is the `turnkit` command."""

from .cli import main

main()
