/* turnkit in a page: the microphone goes to the bot and its voice to the loudspeaker, over one websocket.

     import { TurnkitCall } from "/turnkit.js";
     const call = new TurnkitCall("/call");
     call.on("ended", ({ text }) => console.log(text));
     button.onclick = () => call.start();             // browsers want a click before they let a page sound
     call.hangUp();

   Up:   20 ms frames of 16 kHz mono linear16; {type: "played", epoch, played} seconds; {type: "message", data}.
   Down: linear16 of the reply begun last; {type: "begin", epoch, rate}, "clear", "pause", "resume"; {type: "message", data}.

   This one file is the page's module and, loaded a second time into the audio thread, both of its worklets. Microphone
   and loudspeaker share one AudioContext at the device's own rate, and rates are changed here: Firefox cancels the echo
   only of what sounds at that rate, and older ones take no microphone into a context of another. */

const MICROPHONE_RATE = 16000; // Hz, of what goes up
const FRAME = 320; // samples that go up at a time: 20 ms
const REPORT_SECONDS = 0.05; // between two reports of what has been heard
const FADE_SECONDS = 0.004; // a sound that is cut off, or taken up again, must not click
const CROSSINGS = 16; // zero crossings of the filter on each side
const LONGEST_LATENCY = 1; // seconds from here to the ear that a browser is believed
const LONGEST_BACKLOG = 10; // seconds of the microphone that may wait for the network
const CLICK_WAIT = 1000; // ms after which a context that does not run is taken to wait for a click
const SOUND_WAIT = 10000; // ms after which one that may run is taken to have no loudspeaker

// The audio thread --------------------------------------------------------------------------------------------------

/** Changes the rate of a sound, by a windowed sinc; positions are counted in whole numbers, so nothing drifts. */
export class Resampler {
  constructor(from, to) {
    const divisor = greatestCommonDivisor(from, to);
    this.steps = from / divisor;
    this.phases = to / divisor;
    const narrower = Math.min(1, to / from);
    const cutoff = from === to ? 1 : 0.9 * narrower;
    this.half = Math.ceil(CROSSINGS / narrower);
    this.kernels = Array.from({ length: this.phases }, (_, phase) => kernel(this.half, cutoff, phase / this.phases));
    this.reset();
  }

  reset() {
    this.buffer = new Float32Array(1 << 14);
    this.at = this.end = this.half; // silence lies before the first sample
    this.phase = 0;
  }

  /** Samples pushed that no position has passed yet. */
  get left() {
    return Math.max(0, this.end - this.at);
  }

  push(samples) {
    if (this.end + samples.length > this.buffer.length) {
      const kept = this.buffer.subarray(Math.max(0, Math.min(this.at, this.end) - this.half), this.end);
      const room = kept.length + samples.length;
      const buffer = room > this.buffer.length / 2 ? new Float32Array(2 * room) : this.buffer;
      const dropped = this.end - kept.length;
      buffer.set(kept);
      this.buffer = buffer;
      this.at -= dropped;
      this.end -= dropped;
    }
    this.buffer.set(samples, this.end);
    this.end += samples.length;
  }

  /** The next sample; what has not been pushed yet counts as silence. */
  next() {
    const taps = this.kernels[this.phase];
    const first = this.at - this.half + 1;
    const count = Math.min(taps.length, this.end - first);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += taps[i] * this.buffer[first + i];
    this.phase += this.steps;
    this.at += Math.floor(this.phase / this.phases);
    this.phase %= this.phases;
    return sum;
  }
}

function kernel(half, cutoff, fraction) {
  const taps = Float32Array.from({ length: 2 * half }, (_, i) => {
    const x = i - half + 1 - fraction;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
    return Math.abs(x) >= half ? 0 : sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / half));
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum);
}

function greatestCommonDivisor(a, b) {
  return b ? greatestCommonDivisor(b, a % b) : a;
}

function defineWorklets() {
  /** The microphone: what comes at the context's rate leaves as frames of 16 kHz linear16. */
  class Ears extends AudioWorkletProcessor {
    constructor() {
      super();
      this.resampler = new Resampler(sampleRate, MICROPHONE_RATE);
      this.frame = new Int16Array(FRAME);
      this.filled = 0;
    }

    process([input]) {
      if (input.length) this.resampler.push(input[0]);
      while (this.resampler.left > this.resampler.half) {
        this.frame[this.filled++] = 32767 * Math.max(-1, Math.min(1, this.resampler.next()));
        if (this.filled === FRAME) {
          this.port.postMessage(this.frame.buffer, [this.frame.buffer]);
          this.frame = new Int16Array(FRAME);
          this.filled = 0;
        }
      }
      return true;
    }
  }

  /** The loudspeaker: plays one reply at a time, and tells how much of it has been heard. */
  class Voice extends AudioWorkletProcessor {
    constructor() {
      super();
      this.fadeLength = Math.ceil(FADE_SECONDS * sampleRate);
      this.latency = 0; // frames from here to the ear
      this.rate = 0;
      this.epoch = null; // no reply
      this.tail = new Float32Array(0); // the end of what was cut off, fading
      this.speaking = false;
      this.port.onmessage = ({ data }) => (data instanceof ArrayBuffer ? this.queue(data) : this[data.type](data));
    }

    begin({ epoch, rate, latency }) {
      this.cut();
      if (rate !== this.rate) this.resampler = new Resampler(rate, sampleRate);
      else this.resampler.reset();
      this.rate = rate;
      this.epoch = epoch;
      this.latency = Math.round(latency * sampleRate);
      this.paused = false;
      this.queued = this.heard = this.told = 0; // samples of the reply
      this.toldAt = 0;
      this.log = []; // [the frame at which it is heard, the samples that have been by then]
      this.fadeIn = this.fadeLength; // frames since sound was taken up again
    }

    queue(audio) {
      if (this.epoch === null) return; // of a reply that was cleared
      const samples = Float32Array.from(new Int16Array(audio), (sample) => sample / 32768);
      this.resampler.push(samples);
      this.queued += samples.length;
    }

    clear({ epoch }) {
      if (epoch !== this.epoch) return;
      this.cut();
      this.epoch = null;
    }

    pause({ epoch }) {
      if (epoch !== this.epoch || this.paused) return;
      const { at, phase } = this.resampler;
      this.cut();
      Object.assign(this.resampler, { at, phase });
      this.paused = true;
    }

    resume({ epoch }) {
      if (epoch !== this.epoch || !this.paused) return;
      this.paused = false;
      this.fadeIn = 0;
    }

    /** Let what sounds now fade out; what comes after it is not heard. */
    cut() {
      if (this.epoch === null || this.paused || !this.resampler.left) return;
      this.tail = Float32Array.from({ length: this.fadeLength }, (_, i) =>
        this.resampler.left ? this.resampler.next() * (1 - i / this.fadeLength) : 0,
      );
    }

    process(_, [[output]]) {
      const faded = Math.min(output.length, this.tail.length);
      output.set(this.tail.subarray(0, faded));
      this.tail = this.tail.subarray(faded);
      const sounds = this.epoch !== null && !this.paused && this.resampler.left > 0;
      for (let i = 0; sounds && i < output.length && this.resampler.left; i++) {
        const gain = this.fadeIn < this.fadeLength ? this.fadeIn++ / this.fadeLength : 1;
        output[i] += gain * this.resampler.next();
      }
      if (this.epoch !== null) this.report(sounds);
      if (sounds !== this.speaking) this.port.postMessage({ type: "speaking", speaking: (this.speaking = sounds) });
      return true;
    }

    report(sounds) {
      const now = currentFrame + 128;
      if (sounds) this.log.push([now + this.latency, this.queued - this.resampler.left]);
      while (this.log.length && this.log[0][0] <= now) this.heard = this.log.shift()[1];
      const due = !this.told || this.heard === this.queued || now - this.toldAt >= REPORT_SECONDS * sampleRate;
      if (this.heard === this.told || !due) return;
      this.told = this.heard;
      this.toldAt = now;
      this.port.postMessage({ type: "played", epoch: this.epoch, played: this.heard / this.rate });
    }
  }

  registerProcessor("turnkit-ears", Ears);
  registerProcessor("turnkit-voice", Voice);
}

if (typeof AudioWorkletProcessor !== "undefined") defineWorklets();

// The page ----------------------------------------------------------------------------------------------------------

/** What is said about each thing that can happen; the code is for programs, the text for people. */
const WORDS = {
  // notices: the call goes on
  needs_click: "The browser lets a page sound only after a click: click anywhere to go on.",
  hidden: "The page is hidden. The call goes on, and the microphone is still open.",
  shown: "The page is seen again.",
  microphone_lost: "The microphone is gone. Looking for another one.",
  microphone_found: "There is a microphone again.",
  microphone_silenced: "The system has taken the microphone away. Nothing you say is heard until it gives it back.",
  microphone_back: "The system has given the microphone back.",
  sound_interrupted: "The system has stopped the sound. Trying to go on.",
  sound_back: "The sound is back.",
  unreadable: "The server sent something that cannot be read. It was left out.",
  // ends
  hung_up: "You have hung up.",
  finished: "The call was ended at the other side.",
  page_left: "The page was left.",
  insecure_page: "A page may use the microphone only over https, or on this machine itself.",
  no_sound: "This browser has no sound to give: no loudspeaker, or none that works.",
  microphone_refused: "The microphone was not allowed. Allow it beside the page's address, and call again.",
  no_microphone: "No microphone was found. Plug one in, and call again.",
  microphone_busy: "The microphone cannot be opened. Another program may be using it.",
  no_answer: "The server does not answer, or takes no calls.",
  busy: "The server has no room for another call just now. Try again in a moment.",
  server_failed: "The other side had a failure, and has ended the call.",
  connection_lost: "The connection to the server was lost.",
  network_stalled: "The network has taken nothing for ten seconds.",
};

const MICROPHONE_ERRORS = {
  NotAllowedError: "microphone_refused",
  SecurityError: "microphone_refused",
  NotFoundError: "no_microphone",
  OverconstrainedError: "no_microphone",
  NotReadableError: "microphone_busy",
  AbortError: "microphone_busy",
};

const CLOSE_CODES = {
  1000: "finished",
  1001: "finished", // the server goes down
  1005: "finished", // closed without a code
  1011: "server_failed",
  1012: "finished",
  1013: "busy",
};

/** Whether the promise is fulfilled within so many ms. */
function within(ms, promise) {
  return Promise.race([promise.then(() => true), new Promise((resolve) => setTimeout(resolve, ms, false))]);
}

/** An end of the call, thrown to whoever was still starting it. */
class Ended extends Error {
  constructor(code) {
    super(WORDS[code]);
    this.code = code;
  }
}

/** One call, from `start()` to its end.

    Events, each with `on(name, callback)`:
    - "state": "idle", "starting", "live" or "ended";
    - "speaking": whether the bot is heard;
    - "message": data that the server sent for the page;
    - "notice": {code, text} of what happened, and the call goes on;
    - "ended": {code, text}, once, whatever ended it. */
export class TurnkitCall {
  #url;
  #options;
  #callbacks = new Map();
  #state = "idle";
  #started = null;
  #end = null;
  #over = new Promise((resolve) => (this.#end = resolve));
  #context = null;
  #earsContext = null;
  #stream = null;
  #source = null;
  #ears = null;
  #voice = null;
  #meters = {};
  #socket = null;
  #muted = false;

  /** `url`: of the server's websocket, also relative to the page. Options: `script`, the address of this file where a
      bundler has hidden it; `constraints`, for the microphone. */
  constructor(url, options = {}) {
    this.#url = new URL(url, location.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#options = options;
  }

  get state() {
    return this.#state;
  }

  get muted() {
    return this.#muted;
  }

  /** Whether silence goes up instead of the microphone. */
  set muted(muted) {
    this.#muted = Boolean(muted);
    for (const track of this.#stream?.getTracks() ?? []) track.enabled = !this.#muted;
  }

  /** Call `callback` at each event of this name. Returns the call. */
  on(name, callback) {
    this.#callbacks.set(name, [...(this.#callbacks.get(name) ?? []), callback]);
    return this;
  }

  /** Begin. Resolves to whether the call is live; it never rejects, as "ended" tells what went wrong. */
  start() {
    return (this.#started ??= this.#begin());
  }

  /** End the call. Does nothing if it has ended. */
  hangUp() {
    this.#finish("hung_up");
  }

  /** Give data to the server, as far as JSON can say it; whether it has left. */
  send(data) {
    if (!this.#open) return false;
    this.#socket.send(JSON.stringify({ type: "message", data }));
    return true;
  }

  /** How loud it is right now, 0 to 1, of "microphone" or "voice": for a meter. */
  level(which) {
    const meter = this.#meters[which];
    if (!meter) return 0;
    const samples = new Float32Array(meter.fftSize);
    meter.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  }

  /** Whether what is sent can arrive: from the server's close on the browser would complain. */
  get #open() {
    return this.#state === "live" && this.#socket.readyState === WebSocket.OPEN;
  }

  // Beginning -------------------------------------------------------------------------------------------------------

  async #begin() {
    try {
      if (this.#state === "ended") throw new Ended("hung_up");
      this.#become("starting");
      if (!navigator.mediaDevices || !window.AudioWorkletNode) throw new Ended("insecure_page");
      this.#context = new AudioContext({ latencyHint: "interactive" }); // in the click itself
      const running = this.#run(this.#context);
      running.catch(() => {}); // told below, if it comes to that
      this.#stream = await this.#unlessOver(this.#askForMicrophone());
      await this.#unlessOver(running);
      await this.#unlessOver(this.#load(this.#context));
      this.#openVoice();
      await this.#unlessOver(this.#openEars());
      await this.#unlessOver(this.#connect());
      this.#watchThePage();
      this.#become("live");
      return true;
    } catch (error) {
      if (!(error instanceof Ended)) console.error("turnkit:", error);
      this.#finish(error instanceof Ended ? error.code : "no_sound");
      return false;
    }
  }

  /** The promise's value, unless the call ends first. */
  #unlessOver(promise) {
    return Promise.race([promise, this.#over.then((code) => Promise.reject(new Ended(code)))]);
  }

  async #askForMicrophone() {
    const wanted = { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
    try {
      const audio = { ...wanted, ...this.#options.constraints };
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      if (this.#state === "ended") for (const track of stream.getTracks()) track.stop(); // allowed too late
      return stream;
    } catch (error) {
      throw new Ended(MICROPHONE_ERRORS[error.name] ?? "microphone_busy");
    }
  }

  async #load(context) {
    await context.audioWorklet.addModule(this.#options.script ?? import.meta.url);
  }

  /** Let the context run; where it may not before a click, wait for one. */
  async #run(context) {
    const running = context.resume();
    if (!(await within(CLICK_WAIT, running)) && !navigator.userActivation?.hasBeenActive) {
      this.#notice("needs_click");
      await this.#unlessOver(new Promise((resolve) => addEventListener("click", resolve, { once: true })));
      context.resume().catch(() => {}); // the first one tells what became of it
    }
    if (!(await within(SOUND_WAIT, running))) throw new Ended("no_sound");
  }

  #connect() {
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.binaryType = "arraybuffer";
    let open = false;
    socket.onmessage = ({ data }) => this.#take(data);
    return new Promise((resolve) => {
      socket.onopen = () => resolve((open = true));
      socket.onclose = ({ code }) => this.#finish(CLOSE_CODES[code] ?? (open ? "connection_lost" : "no_answer"));
    });
  }

  #openVoice() {
    const context = this.#context;
    this.#voice = new AudioWorkletNode(context, "turnkit-voice", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#voice.port.onmessage = ({ data }) => {
      if (data.type === "speaking") this.#emit("speaking", data.speaking);
      else if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(data));
    };
    this.#meters.voice = new AnalyserNode(context, { fftSize: 1024 });
    this.#voice.connect(this.#meters.voice).connect(context.destination);
    context.onstatechange = () => {
      if (this.#state !== "live") return;
      this.#notice(context.state === "running" ? "sound_back" : "sound_interrupted");
      if (context.state !== "running") context.resume().catch(() => {});
    };
  }

  /** Let the microphone be heard: in the loudspeaker's context, or where a browser refuses that, in one of its own. */
  async #openEars() {
    this.#source = this.#openSource(this.#earsContext ?? this.#context);
    const [track] = this.#stream.getAudioTracks();
    for (const sampleRate of [track.getSettings().sampleRate, 48000, 44100, 32000, 16000, 8000]) {
      if (this.#source || !sampleRate) continue;
      const context = new AudioContext({ sampleRate });
      this.#source = this.#openSource(context);
      await (this.#source ? this.#load((this.#earsContext = context)) : context.close());
    }
    if (!this.#source) throw new Ended("no_sound");
    const { context } = this.#source;
    const options = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    if (this.#ears) this.#ears.port.onmessage = null; // of a microphone that is gone
    this.#ears = new AudioWorkletNode(context, "turnkit-ears", options);
    this.#ears.port.onmessage = ({ data }) => this.#sendAudio(data);
    this.#meters.microphone = new AnalyserNode(context, { fftSize: 1024 });
    this.#source.connect(this.#meters.microphone);
    this.#source.connect(this.#ears);
    this.#watchTheMicrophone(track);
  }

  #openSource(context) {
    try {
      return context.createMediaStreamSource(this.#stream);
    } catch (error) {
      if (error.name !== "NotSupportedError") throw error;
      return null; // the context has another rate than the microphone
    }
  }

  // While it lasts --------------------------------------------------------------------------------------------------

  #sendAudio(frame) {
    if (!this.#open) return;
    if (this.#socket.bufferedAmount > LONGEST_BACKLOG * MICROPHONE_RATE * 2) return this.#finish("network_stalled");
    this.#socket.send(frame);
  }

  #take(data) {
    if (data instanceof ArrayBuffer) {
      if (data.byteLength % 2) return this.#notice("unreadable");
      return this.#voice?.port.postMessage(data, [data]);
    }
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.#notice("unreadable");
    }
    if (frame?.type === "message") this.#emit("message", frame.data);
    else if (["clear", "pause", "resume"].includes(frame?.type)) this.#voice?.port.postMessage(frame);
    else if (frame?.type === "begin" && Number.isInteger(frame.rate) && frame.rate > 0) {
      const latency = this.#context.outputLatency || this.#context.baseLatency || 0;
      this.#voice?.port.postMessage({ ...frame, latency: Math.max(0, Math.min(latency, LONGEST_LATENCY)) });
    } else this.#notice("unreadable");
  }

  #watchTheMicrophone(track) {
    track.enabled = !this.#muted;
    track.onended = () => this.#findMicrophone();
    track.onmute = () => this.#notice("microphone_silenced");
    track.onunmute = () => this.#notice("microphone_back");
  }

  async #findMicrophone() {
    if (this.#state !== "live") return;
    this.#notice("microphone_lost");
    this.#source.disconnect();
    try {
      this.#stream = await this.#unlessOver(this.#askForMicrophone());
      await this.#unlessOver(this.#openEars());
      this.#notice("microphone_found");
    } catch (error) {
      this.#finish(error instanceof Ended ? error.code : "no_sound");
    }
  }

  #watchThePage() {
    const seen = () => this.#notice(document.hidden ? "hidden" : "shown");
    const left = () => this.#finish("page_left");
    document.addEventListener("visibilitychange", seen);
    addEventListener("pagehide", left);
    this.#over.then(() => {
      document.removeEventListener("visibilitychange", seen);
      removeEventListener("pagehide", left);
    });
  }

  // Ending ----------------------------------------------------------------------------------------------------------

  #finish(code) {
    if (this.#state === "ended") return;
    this.#become("ended");
    this.#end(code);
    for (const track of this.#stream?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#socket?.close(1000);
    for (const context of [this.#context, this.#earsContext]) context?.close().catch(() => {});
    this.#meters = {};
    this.#emit("ended", { code, text: WORDS[code] });
  }

  #become(state) {
    this.#state = state;
    this.#emit("state", state);
  }

  #notice(code) {
    if (this.#state !== "ended") this.#emit("notice", { code, text: WORDS[code] });
  }

  #emit(name, data) {
    for (const callback of this.#callbacks.get(name) ?? []) {
      try {
        callback(data);
      } catch (error) {
        console.error(`turnkit: a callback for "${name}" failed:`, error);
      }
    }
  }
}
