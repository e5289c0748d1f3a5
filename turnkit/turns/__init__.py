"""The engine, pure: what can happen, what is legal, what the policies say, and what follows from it."""
