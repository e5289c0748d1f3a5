"""The interceptor of a session: what may stand between it and its bot, as a rehearsal does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..turns.events import PlaybackAdvanced, PlaybackFinished, PlaybackStarted, ReplyEnded, Signal
from .reply import Reply, Respond

if TYPE_CHECKING:
    from ..speaking import Speak


class Interceptor(Protocol):
    """An interceptor sees what passes between a session and its bot before either does; see `Session.intercept`.

    For kits such as `turnkit.testing`; what only wants to know what happens is an `Observer`.
    """

    def signalled(self, signal: Signal | ReplyEnded, reply: Reply | None) -> None:
        """A signal is about to go to the callbacks; of Speculate and Commit, `reply` is the one that they are about."""

    def reported(self, event: PlaybackStarted | PlaybackAdvanced | PlaybackFinished) -> None:
        """The bot reports the playback of a reply, which the session has not looked at yet."""

    def responding(self, respond: Respond) -> Respond:
        """What is to be called instead of the bot's `respond`, or of a function that it gave to `initiate`."""

    def speaking(self, speak: Speak) -> Speak:
        """What is to be called instead of the bot's `speak`."""
