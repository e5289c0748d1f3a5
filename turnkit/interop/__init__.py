"""turnkit inside other frameworks and behind telephone lines: one file, or a small package, for each foreign world.

Foreign packages are imported in the file of their world only; importing `turnkit.interop` loads none of them.

- `network_sink`: an `AudioSink` whose loudspeaker is at the far end of a network, whatever is spoken there.
- `network_playback`: what such a sink has sent, what of it was heard and what to send next, decided without a socket.
- `browser`: a page as the telephone: its script, and calls with it over any server's websocket.
"""
