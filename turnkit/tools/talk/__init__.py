"""Talk: a conversation with sound, on this machine: who answers, how it is said, and where the time goes.

What `turnkit play` and `turnkit demo --mic` share. Words may come from Flux, or from an ear of the simulator's; a
`Brain` answers them, a voice says it, and a `Stopwatch` tells for each turn how long that took, and who took it.

- `brain`: what answers; `booking` and `echo`: two that need nothing, `chat`: an LLM behind an OpenAI-compatible server.
- `spoken`: a brain and a voice as the `respond` and the `speak` of a session.
- `stopwatch`: from the end of the last word to the first sound, in parts.
- `card`: microphone and loudspeaker of this machine; `call`: a call with those. Needs `turnkit[mic]`.
"""
