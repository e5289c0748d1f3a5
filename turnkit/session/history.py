"""What was said and what was heard, as chat messages for an LLM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Message = dict[str, Any]


class History:
    """The conversation so far: the user's turns, and of the agent's replies what was heard.

    A reply stands where its first words were heard and grows as it is heard; one of which nothing is known to have
    been heard does not stand at all. Turns that got no answer stand too, unless the agent kept the floor over them.
    """

    __slots__ = ("_messages", "_owed", "_replies")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._replies: dict[int, Message] = {}
        self._owed = 0  # where the words begin that have no audible answer yet

    def messages(self) -> list[Message]:
        """A copy, oldest first."""
        return [dict(message) for message in self._messages]

    def messages_with(self, transcript: str, unanswered: Iterable[str]) -> list[Message]:
        """A copy as it would be if this turn were final now."""
        return [*self.messages(), *self._asked(transcript, unanswered)]

    def user_said(self, transcript: str, unanswered: Iterable[str]) -> None:
        """A turn is final. The unanswered words that are not there yet, of turns cut off, come before it."""
        self._messages += self._asked(transcript, unanswered)

    def _asked(self, transcript: str, unanswered: Iterable[str]) -> list[Message]:
        there = [message["content"] for message in self._messages[self._owed :] if message["role"] == "user"]
        missing: list[str] = []
        for text in unanswered:
            if text in there:
                there.remove(text)
            else:
                missing.append(text)
        return [{"role": "user", "content": text} for text in (*missing, transcript) if text]

    def agent_heard(self, reply: int, heard: str) -> None:
        """Of `reply`, `heard` has been heard so far."""
        message = self._replies.get(reply)
        if message is not None:
            message["content"] = heard
        elif heard.strip():
            self._replies[reply] = message = {"role": "assistant", "content": heard}
            self._messages.append(message)
            self._owed = len(self._messages)

    def reply_over(self, reply: int) -> None:
        """Nothing more of `reply` will be heard."""
        self._replies.pop(reply, None)

    def add(self, message: Mapping[str, Any]) -> None:
        """Any other message, such as a tool's call or result."""
        self._messages.append(dict(message))
