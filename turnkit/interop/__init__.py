"""turnkit inside other frameworks and behind telephone lines: one file, or a small package, for each foreign world.

Foreign packages are imported in the file of their world only, each needs what its extra installs, as in
`pip install 'turnkit[pipecat]'`, and importing `turnkit.interop` loads none of them.

- `twilio`, `telnyx`, `plivo`: a bot on the phone; `telephone` holds their calls, `telephone_line` has what they share.
- `pipecat`: speech-to-text for a Pipecat pipeline, which brings its turns with it; `pipecat_turns` says them there.
- `livekit`: speech-to-text for a LiveKit AgentSession, which brings its turns with it.
- `deepgram`: a stream over the connections of Deepgram's own SDK, and a session on one of its synchronous client.
- `pcm_voice`: a voice that gives 16-bit PCM made fit for the phone.
- `websocket`: any server's websocket as one; `eager_send`: a frame written in the step that decides on it.
- `network_sink`: an `AudioSink` whose loudspeaker is at the far end of a network, whatever is spoken there.
- `network_playback`: what such a sink has sent, what of it was heard and what to send next, decided without a socket.
- `browser`: a page as the telephone: its script, and calls with it over any server's websocket.
- `web`: a server of calls with phones and pages that can be deployed; `turnkit serve` runs it.
"""
