"""The parts of a bot, and where turnkit stands among them."""

from __future__ import annotations

from .svg import Picture


def _part(picture: Picture, x: int, y: int, width: int, ink: str, name: str, *more: str) -> None:
    height = 34 + 17 * len(more)
    picture.box(x, y, width, height, f"{ink}-tint", ink)
    picture.text(x + width / 2, y + 22, name, css="strong", ink=ink)
    for count, text in enumerate(more):
        picture.text(x + width / 2, y + 40 + 17 * count, text, css="small")


def bot() -> Picture:
    """Who sends what to whom."""
    picture = Picture(
        800,
        330,
        "A bot with turnkit inside",
        "The caller's audio goes to turnkit's stream, from there to Deepgram Flux, and turn events come back. The "
        "machine makes signals of events, the session runs your respond, with LLM and tools, and your speak, with "
        "the TTS and player. The voice goes to the caller; what was heard of it comes back to the session.",
    )
    picture.box(212, 128, 344, 132, "panel", "turnkit", radius=9)
    picture.text(226, 150, "turnkit", css="strong", anchor="start", ink="turnkit")
    _part(picture, 16, 160, 124, "caller", "the caller", "phone, web page,", "microphone")
    _part(picture, 216, 16, 150, "flux", "Deepgram Flux", "hears words and turns")
    _part(picture, 224, 166, 96, "turnkit", "stream", "reconnects,", "loses no word")
    _part(picture, 344, 166, 90, "turnkit", "machine", "decides,", "pure")
    _part(picture, 458, 166, 88, "turnkit", "session", "runs and", "stops")
    _part(picture, 630, 86, 154, "llm", "respond", "your LLM and tools")
    _part(picture, 630, 222, 154, "voice", "speak", "your TTS and player")
    picture.arrow("M140,194 L222,194", "caller")
    picture.text(176, 186, "audio", css="small soft")
    picture.arrow("M254,164 L254,70", "caller")
    picture.text(247, 100, "audio", css="small soft", anchor="end")
    picture.arrow("M300,69 L300,164", "flux")
    picture.text(307, 100, "turn events", css="small soft", anchor="start")
    picture.arrow("M320,200 L342,200", "flux")
    picture.arrow("M434,200 L456,200", "turnkit")
    picture.arrow("M546,186 C600,186 570,112 628,112", "turnkit")
    picture.text(560, 104, "begin, cancel", css="small soft")
    picture.arrow("M706,138 L706,220", "llm")
    picture.text(716, 184, "text", css="small soft", anchor="start")
    picture.arrow("M546,214 C600,214 572,238 628,238", "turnkit")
    picture.text(620, 208, "play, stop", css="small soft")
    picture.arrow("M628,260 C560,290 502,280 502,236", "voice", ' stroke-dasharray="5 4"')
    picture.text(594, 292, "what was heard", css="small soft")
    picture.arrow("M706,274 L706,308 L78,308 L78,230", "voice")
    picture.text(300, 302, "voice", css="small soft")
    return picture
