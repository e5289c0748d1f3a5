"""What turnkit costs, each row against its floor measured in the same run: `python -m benchmarks`."""
