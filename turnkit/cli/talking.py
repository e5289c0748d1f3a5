"""What the commands that talk have in common: which ear, which voice, and who answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ..errors import ConfigError
from .output import fail, guard, warn

if TYPE_CHECKING:
    from ..simulator.ear import Ear
    from ..speaking.espeak import EspeakVoice
    from ..tools.talk.choosing import Choice

EarOption = Annotated[
    str | None,
    typer.Option(
        metavar="EAR",
        help="What listens to the microphone here: voice (the default) finds speech; "
        "quick finds it sooner, and tells 'mm-hm' apart; sphinx knows English words.",
    ),
]
VoiceOption = Annotated[
    str | None,
    typer.Option(
        metavar="LANG",
        help="The language that the bot speaks, such as en-gb or de; en-us if not given; needs turnkit\\[voice].",
    ),
]
BotOption = Annotated[
    str,
    typer.Option(
        metavar="BOT",
        help="Who answers the microphone: booking, or echo, which says what it heard and what was decided.",
    ),
]
LlmOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="An OpenAI-compatible server that answers instead, such as http://HOST:PORT; its key is LLM_API_KEY.",
    ),
]
ModelOption = Annotated[str, typer.Option(metavar="NAME", help="The model that --llm is asked for.")]

_LANGUAGE = "en-us"
_WARNINGS = {
    "EAR_CANNOT_DECODE": "The ear cannot hear this sound: it is in no coding that it knows.",
    "EAR_HEARS_NO_SPEECH": "There is sound, but no speech in it for long: is it the right microphone, and near enough?",
}


class FoundEar(NamedTuple):
    """An ear, and its name."""

    name: str
    ear: Ear


def found_ear(name: str | None) -> FoundEar | None:
    """The ear of this name; without one, the one that knows no words, if it is installed."""
    from ..simulator.ear import make_ear

    if name is not None:
        return FoundEar(name, guard(lambda: make_ear(name), {"ear": "--ear"}))
    try:
        return FoundEar("voice", make_ear("voice"))
    except ConfigError:
        return None


def found_voice(language: str | None) -> EspeakVoice | None:
    """The voice of this language; without one, English, if there is espeak-ng."""
    from ..speaking.espeak import EspeakVoice

    try:
        return guard(lambda: EspeakVoice(language or _LANGUAGE), {"language": "--voice"})
    except ImportError as error:
        if language is not None:
            fail(str(error))
        return None


def chosen_bot(bot: str, llm: str | None, model: str, ear: str | None) -> Choice:
    """Who answers, if it can be had."""
    from ..tools.talk.choosing import Choice, check

    choice = Choice(bot, llm, model)
    try:
        guard(lambda: check(choice), {"bot": "--bot", "LLM": "--llm"})
    except ImportError as error:
        fail(str(error))
    if llm is not None and ear in ("voice", "quick"):
        warn(f"--llm: the ear '{ear}' knows no words, and the LLM gets none; --ear sphinx knows English ones")
    return choice


def warning_of(code: str) -> str | None:
    """What a Warning of an ear asks for, in a sentence; None for any other."""
    return _WARNINGS.get(code)
