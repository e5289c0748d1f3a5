"""What makes the documentation: its pictures, drawn by `python -m docsite`, and the hook that mkdocs runs (`hook.py`).

- `searches.mjs`: what readers type into the search of the site, tried on it as built.
- `svg`: a picture and its palette, in light and dark.
- `timelines`: a turn, and an overlap, on the axis of time.
- `bots`: the parts of a bot, and where turnkit stands among them.
- `reading`: what mkdocstrings would not see of structs and enumerations; it needs griffe, which `turnkit[docs]` brings.
- `charts`: the two charts that run, drawn from their own rows.
"""
