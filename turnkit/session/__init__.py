"""A conversation, live: events from any async source into the machine, its signals to your callbacks and replies.

The session never decides; it keeps the order of effects. A signal's sync callbacks run in the very step in which the
machine decided, before anything else is scheduled, so barge-in is one function call away from the socket. Async
callbacks become tasks; those on Speculate and Commit belong to their reply and are cancelled with it. The reader of the
source waits for no callback, so none can hold up the turn-taking, and one that fails is reported (`Session.on_error`
gives the exception), not raised.

With `respond` and `speak` the session runs the replies too: written once, run on speculation or not, silent until the
turn is final, stopped when the user takes the floor.
"""

from .failures import HostFailure
from .observers import Observable, Observer
from .reply import Reply, Respond
from .session import Session

__all__ = ["HostFailure", "Observable", "Observer", "Reply", "Respond", "Session"]
