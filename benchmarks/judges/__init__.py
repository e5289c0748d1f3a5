"""Bots judged from their sound, by programs that are not ours.

`voicebench` plays a scripted caller, records both sides, and measures in the recording: how soon the bot answers, how
soon it falls silent when it is interrupted, whether a cough or an "mm-hm" silences it. `voice-evals` probes it over a
websocket. Both come from PyPI and are used as they are.

- `sounds`: what the caller says, spoken by espeak-ng, and coughs; `conversation`: the script that voicebench plays.
- `turnkit_bot`, `pipecat_bot`, `livekit_bot`: the same bot three times; each knows its turns from the sound alone.
- `page_adapter`: voicebench as a page that calls turnkit; `gateway`: voice-evals' protocol in front of the same.
- `python -m benchmarks.judges` runs them and prints the table.
"""
