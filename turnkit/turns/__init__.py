"""The turn-taking engine, pure: events and signals, the charts, the policies, the machine and its state."""
