"""Calls by a page in a real Chromium, by WebSocket and MediaRecorder; told what to do, and tells, in lines of JSON."""

import json
import sys
import tempfile
from pathlib import Path

from tests.support.browser import browser

CALL = """(async (job) => {
  const heard = { messages: [], error: null, closed: false };
  if (!job.auth.endsWith(" as subprotocol")) return { ...heard, error: "no way to send a header" };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(job.options)) for (const one of [value].flat()) query.append(name, one);
  const socket = new WebSocket(`${job.url}/v2/listen?${query}`, [job.auth.split(" ")[0], job.secret]);
  const over = new Promise((done) => {
    socket.onclose = ({ code }) => {
      if (heard.messages.length) heard.closed = true;
      else heard.error = `closed ${code}`;
      done();
    };
    setTimeout(done, 15000);
  });
  socket.onmessage = ({ data }) => heard.messages.push(JSON.parse(data));
  await new Promise((done) => ((socket.onopen = done), over.then(done)));
  const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  const kinds = { force: "ForceEndTurn", close: "CloseStream" };
  for (const [step, value] of socket.readyState === WebSocket.OPEN ? job.steps : []) {
    if (step === "audio") {
      for (const piece of value) socket.send(typeof piece === "string" ? bytes(piece) : new Uint8Array(piece));
    } else if (step === "record") await record(socket, value);
    else socket.send(JSON.stringify(step === "configure" ? value : { type: kinds[step] }));
  }
  await over;
  return heard;

  /** The way that every page takes: a MediaRecorder's slices, sent as they come. */
  async function record(socket, seconds) {
    const context = new AudioContext();
    await context.resume();
    const out = new MediaStreamAudioDestinationNode(context);
    const tone = new OscillatorNode(context);
    tone.connect(out);
    tone.start();
    const recorder = new MediaRecorder(out.stream, { mimeType: "audio/webm;codecs=opus" });
    recorder.ondataavailable = ({ data }) => socket.send(data);
    const stopped = new Promise((done) => (recorder.onstop = done));
    recorder.start(100);
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    recorder.stop();
    await stopped;
    await context.close();
  }
})"""

with tempfile.TemporaryDirectory() as folder:
    flags = ["--autoplay-policy=no-user-gesture-required", "--disable-web-security"]
    with browser(Path(folder) / "profile", *flags) as page:
        for line in sys.stdin:
            print(json.dumps(page.ask(f"{CALL}({line})", clicked=True)), flush=True)
