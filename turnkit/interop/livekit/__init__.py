"""turnkit inside LiveKit Agents: a speech-to-text for a stock `AgentSession` that brings turnkit's turns with it.

    from turnkit.interop import livekit

    flux = livekit.STT(FluxOptions(eager_eot_threshold=0.4), api_key=key, session=lambda: Session(barge_in=MinWords(2)))
    session = AgentSession(stt=flux, llm=llm, tts=tts, **livekit.turn_handling())

turnkit's own Flux client listens, a turnkit session decides, and LiveKit does the rest as ever. Needs
`turnkit[livekit]`.
"""

try:
    import livekit.agents  # noqa: F401  # here, so that its absence is told in one line
except ImportError as missing:
    raise ImportError("turnkit.interop.livekit needs LiveKit Agents: pip install 'turnkit[livekit]'") from missing

from .stt import STT, turn_handling

__all__ = ["STT", "turn_handling"]
