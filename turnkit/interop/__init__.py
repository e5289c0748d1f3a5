"""turnkit inside other frameworks and telephone lines: one module each, imported by its own name.

Importing this package loads none of them, and none loads a foreign package but its own, which an extra installs.
"""
