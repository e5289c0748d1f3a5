"""The bot of the page: answers by keyword, else it says what it heard; its voice is text, at the pace of speech."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio

from ...session import Reply
from ...speaking import Playback

GREETING = "Hello! I am a small bot. Ask me for a story, or for a table for two, and interrupt me whenever you like."

ANSWERS: dict[tuple[str, ...], str] = {
    ("story", "tell me", "more"): (
        "Once there was a lighthouse keeper who answered every ship that called. He was so eager that he answered "
        "before they had finished, and the captains sailed home, offended. So he learned to wait, and then the "
        "captains fell asleep before he spoke. One winter a girl told him: think while they talk, speak when they "
        "are done, and stop when they begin. Since then no ship has been lost, and the story ends here."
    ),
    ("o'clock", "tomorrow", "tonight", "evening", "people", "for two", "for four"): (
        "Let me see. There is a table by the window, or one on the terrace, which is heated, and both are yours for "
        "the evening if you like."
    ),
    ("table", "book", "reserve", "dinner"): "With pleasure. For how many people, and at what time?",
    ("draft", "eager", "speculat", "how does", "how do you", "work"): (
        "When you pause, Flux says how sure it is that you are done. Above the lower line I begin a draft, and say "
        "nothing. If you go on, the draft is thrown away; if you are done, it is ready at once."
    ),
    ("interrupt", "barge", "stop", "wait"): "I stopped, and I know how much of it you heard. What can I do for you?",
    ("thank", "bye"): "You are welcome. The whole call is in the viewer, if you would like to see it again.",
    ("hello", "hi there", "good morning", "good evening"): "Hello to you. Shall I tell you a story?",
}

THINKING_SECONDS = 0.5  # to the first words of an answer, as a quick LLM takes
VOICE_SECONDS = 0.12  # from words to sound, as a quick TTS takes
_WORD_SECONDS, _LETTER_SECONDS, _STOP_SECONDS = 0.14, 0.032, 0.22

Post = Callable[[dict[str, object]], object]


def answer(transcript: str) -> str:
    """What the bot has to say to this."""
    said = transcript.lower().replace("’", "'")
    for keywords, text in ANSWERS.items():
        if any(keyword in said for keyword in keywords):
            return text
    return f"I heard: {transcript.rstrip('.!')}. Go on, or ask me for a story."


def word_seconds(word: str) -> float:
    """How long a word takes to say, with the pause after it."""
    pause = _STOP_SECONDS if word.endswith((".", "!", "?", ":")) else _STOP_SECONDS / 2 if word.endswith(",") else 0.0
    return _WORD_SECONDS + _LETTER_SECONDS * len(word) + pause


class Bot:
    """`respond` and `speak`, as every bot has them; the page is shown what is drafted, and what is heard.

    Args:
        post: tells the page.
    """

    greeting = GREETING

    def __init__(self, post: Post) -> None:
        self._post = post

    async def respond(self, reply: Reply) -> None:
        """Think, and answer all that is unanswered."""
        await anyio.sleep(THINKING_SECONDS)
        text = answer(" ".join((*reply.unanswered, reply.transcript)))
        self._post({"type": "draft", "reply": reply.id, "text": text})
        await reply.say(text)

    async def speak(self, reply: Reply, chunks: AsyncIterator[str | bytes], playback: Playback) -> None:
        """Say it word by word, and report each as it is heard."""
        await anyio.sleep(VOICE_SECONDS)
        before = ""
        async for chunk in chunks:
            words = str(chunk).split()
            playback.started()
            for count in range(1, len(words) + 1):
                await playback.wait_resumed()
                self._show(reply, before + " ".join(words[: count - 1]), words[count - 1 :])
                await anyio.sleep(word_seconds(words[count - 1]))
                playback.advance(before + " ".join(words[:count]))
            before += " ".join(words) + " "
            self._show(reply, before.rstrip(), [])

    def _show(self, reply: Reply, heard: str, rest: list[str]) -> None:
        self._post({"type": "said", "reply": reply.id, "heard": heard, "rest": " ".join(rest)})
