// The call's audio, in step -------------------------------------------------------------------------------------------
let audio = null;
const toCall = (second) => scene.offset + second * scene.pace, toAudio = (t) => (t - scene.offset) / scene.pace;
function seek(t) {
  if (!audio) return;
  audio.currentTime = Math.min(Math.max(toAudio(t), 0), scene.sound.seconds);
  playAt = toCall(audio.currentTime);
  tick();
}
function togglePlay() {
  if (!audio) return;
  if (audio.paused) audio.play().catch((error) => { $("position").textContent = `cannot be played: ${error.name}`; }); else audio.pause();
}
let now = null;
function tick() {
  playAt = toCall(audio.currentTime);
  $("position").textContent = clock(playAt, 1);
  if (!audio.paused) {
    const share = (playAt - view.from) / (view.to - view.from);
    if (share < 0 || share > 0.9) { const span = view.to - view.from; show(playAt - span * 0.1, playAt + span * 0.9); }
    const current = entries.findLast((entry) => !entry.draft && entry.at <= playAt + 0.05);
    if (current !== now) {
      now?.item.classList.remove("now");
      now = current;
      now?.item.classList.add("now");
      if (now && performance.now() - following > 1200) { reveal(now); }
    }
    requestAnimationFrame(tick);
  }
  schedule();
}
function setUpSound() {
  if (!scene.sound) return;
  $("player").hidden = false;
  audio = html("audio", { src: scene.sound.source, preload: "auto" }, document.body);
  audio.addEventListener("play", () => { $("play").textContent = "❚❚"; $("play").setAttribute("aria-label", "Pause"); tick(); });
  audio.addEventListener("pause", () => { $("play").textContent = "▶"; $("play").setAttribute("aria-label", "Play"); });
  audio.addEventListener("error", () => { $("position").textContent = "the audio is not where it was"; $("play").disabled = true; });
  $("play").onclick = togglePlay;
  $("speed").onclick = () => { audio.playbackRate = { 1: 1.5, 1.5: 2, 2: 0.5, 0.5: 1 }[audio.playbackRate] || 1; $("speed").textContent = `${audio.playbackRate}×`; };
  playAt = toCall(0);
  $("position").textContent = clock(playAt, 1);
}

// Hands ---------------------------------------------------------------------------------------------------------------
const fingers = new Map();
const spread = () => { const [a, b] = [...fingers.values()]; return Math.abs(a - b); };
const local = (event) => event.clientX - lanesSvg.getBoundingClientRect().left;
let pinch = 0, dragged = 0;
lanesSvg.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / width);
  else if (event.shiftKey) move((event.deltaX || event.deltaY) / width);
  else zoom(Math.exp(event.deltaY * 0.0022), at(local(event)));
  event.preventDefault();
}, { passive: false });
lanesSvg.addEventListener("pointerdown", (event) => {
  fingers.set(event.pointerId, local(event));
  if (fingers.size === 1) dragged = 0;
  if (fingers.size === 2) pinch = spread();
  lanesSvg.setPointerCapture(event.pointerId);
  lanesSvg.classList.add("dragging");
});
lanesSvg.addEventListener("pointermove", (event) => {
  if (!fingers.has(event.pointerId)) { showTip(event); cursorAt = at(local(event)); schedule(); return; }
  const before = fingers.get(event.pointerId), here = local(event);
  fingers.set(event.pointerId, here);
  dragged += Math.abs(here - before);
  if (fingers.size === 2) {
    const wide = Math.max(spread(), 8);
    zoom(pinch / wide, at([...fingers.values()].reduce((a, b) => a + b) / 2));
    pinch = wide;
  } else if (here !== before) {
    tip.hidden = true;
    const shift = (before - here) / Math.max(width - gutter, 1) * (view.to - view.from);
    show(view.from + shift, view.to + shift);
  }
});
for (const kind of ["pointerup", "pointercancel"]) lanesSvg.addEventListener(kind, (event) => {
  fingers.delete(event.pointerId);
  lanesSvg.classList.remove("dragging");
  if (kind === "pointercancel" || dragged > 5) return;
  const target = document.elementFromPoint(event.clientX, event.clientY), about = aboutOf(target);
  if (about) fillAbout($("detail"), about);
  if (target?.dataset?.turn !== undefined) {
    const entry = entryOfTurn.get(Number(target.dataset.turn));
    reveal(entry);
    following = performance.now();
  }
  seek(at(local(event)));
});
lanesSvg.addEventListener("dblclick", (event) => { zoom(0.25, at(local(event))); });
lanesSvg.addEventListener("pointerleave", () => { tip.hidden = true; cursorAt = null; schedule(); });
let sweeping = false;
function sweep(event) {
  const bounds = overviewSvg.getBoundingClientRect(), t = (event.clientX - bounds.left) / bounds.width * LENGTH, half = (view.to - view.from) / 2;
  show(t - half, t + half);
}
overviewSvg.addEventListener("pointerdown", (event) => { sweeping = true; overviewSvg.setPointerCapture(event.pointerId); sweep(event); });
overviewSvg.addEventListener("pointermove", (event) => { if (sweeping) sweep(event); });
for (const kind of ["pointerup", "pointercancel"]) overviewSvg.addEventListener(kind, () => { sweeping = false; });

const KEYS = { ArrowLeft: () => move(-0.15), ArrowRight: () => move(0.15), "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1 / 0.7), "0": fit,
  n: () => step(1), p: () => step(-1), j: () => step(1), k: () => step(-1), t: turnOver, "?": () => $("keys").showModal(), Home: () => show(0, view.to - view.from),
  End: () => show(LENGTH - (view.to - view.from), LENGTH), "/": () => $("search").focus(), " ": togglePlay };
for (const jump of JUMPS) { KEYS[jump.key] = () => jump.go(1); KEYS[jump.key.toUpperCase()] = () => jump.go(-1); }
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open || typing(event)) return;
  if (event.key === " " && (event.target.tagName === "BUTTON" || event.target.tagName === "SUMMARY" || event.target.tagName === "INPUT" || !audio)) return;
  const act = KEYS[event.key];
  if (act) { act(); event.preventDefault(); }
});

// The page around it --------------------------------------------------------------------------------------------------
const shape = (draw) => { const icon = svg("svg", { width: 22, height: 14, viewBox: "-11 -7 22 14", "aria-hidden": "true" }); draw(icon); return icon; };
const block = (kind) => (icon) => svg("rect", { x: -9, y: -5, width: 18, height: 10, rx: 3, class: kind }, icon);
const dot = (name) => (icon) => svg("circle", { r: 4, fill: css(name) }, icon);
const line = (kind, path = "M-9,0H9") => (icon) => svg("path", { d: path, class: kind, fill: "none" }, icon);
const LEGEND = [
  ["The user", [["word", "a word, where Flux heard it", block("word")], ["word-guessed", "a word, when it was reported", block("word guessed")], ["turn", "a turn, to its end", block("turn")],
    ["turn-failed", "its reply failed", block("turn failed")], ["turn-unheard", "its reply was cancelled unheard", block("turn unheard")], ["turn-dropped", "a turn without an answer", block("turn dropped")],
    ["typed", "a typed turn", block("turn typed")], ...(scene.sound ? [["wave", "how loud it is", line("wave", "M-8,-2V2M-4,-5V5M0,-3V3M4,-6V6M8,-1V1")], ["playhead", "what is playing", line("playhead", "M0,-7V7")]] : [])]],
  ["What Flux said", [...Object.entries(FLUX).map(([kind, [colour, path]]) => [kind, { StartOfTurn: "start of turn", EagerEndOfTurn: "eager end of turn", TurnResumed: "turn resumed", EndOfTurn: "end of turn" }[kind],
    (icon) => svg("path", { d: path, stroke: css(colour), fill: kind === "TurnResumed" ? "none" : css(colour) }, icon)]), ["Update", "update", line("tick", "M0,-5V5")],
    ["confidence", "confidence that the turn is over", line("curve", "M-9,4L-3,0L2,2L9,-5")], ["eot_threshold", "threshold of the end", line("threshold eot")], ["eager_eot_threshold", "threshold of the eager end", line("threshold")], ["lost", "no stream", block("lost")]]],
  ["The agent", [["draft", "a draft that was kept", block("draft")], ["withdrawn", "a draft withdrawn", block("withdrawn")], ["draft-failed", "a draft that failed", block("failed")], ["pending", "not heard yet", block("pending")],
    ["audible", "heard", block("audible")], ["held", "held while the user is judged", block("held")], ["piece", "words as they were heard", block("piece")], ["failed", "failed before a sound", block("failed")],
    ["failed-end", "failed here", (icon) => svg("path", { d: "M-4.5,-4.5L4.5,4.5M4.5,-4.5L-4.5,4.5", class: "failed-end" }, icon)], ["interrupted-end", "interrupted here", (icon) => svg("path", { d: "M0,-7V7", class: "interrupted-end" }, icon)]]],
  ["Decisions", [...[["TurnStarted", "turn started"], ["Speculate", "speculate: a draft begins"], ["Cancel", "cancel"], ["Commit", "commit: the turn is final"], ["BargeIn", "barge-in"], ["Interrupt", "the host interrupts"],
    ["Hold", "hold"], ["Resume", "resume"], ["TurnDropped", "turn dropped"], ["TurnStalled", "turn stalled"], ["UserIdle", "user idle"], ["Note", "a surprise, noted"], ["ReplyEnded", "reply over"]]
    .map(([kind, name]) => [kind, name, dot(SIGNAL[kind])]), ["failed-over", "reply failed", dot("stop")]]],
  ["Waits", [["wait", "from the last word to the first sound", line("wait", "M-9,-4V4M-9,0H9M9,-4V4")], ["wait-column", "the same, zoomed out: as high as it is long", line("wait column", "M0,7V-6")], ["gap", "from the commit to the first sound", line("gap", "M-9,-4V4M-9,0H9M9,-4V4")],
    ["saved", "saved by the draft", line("saved")]]],
];
function fillLegend() {
  for (const [name, marks] of LEGEND) {
    const group = html("div", { class: "marks" }, $("legend").lastElementChild);
    html("b", {}, group, name);
    for (const [mark, meaning, draw] of marks) { const item = html("span", { "data-legend": mark }, group); item.append(shape(draw), meaning); }
  }
  if (innerWidth < 640) $("legend").open = false;
}
function tallies() {
  const f = scene.figures, rows = [["turns", f.turns], ["answered", f.answered], ["failed", f.failed, "stop"], ["reply cancelled unheard", f.unheard], ["without an answer", f.dropped],
    ["barge-ins", f.barge_ins], ["interrupts", f.interrupts], ["stream lost", f.outages, "stop"]].filter(([name, count]) => count || name === "turns" || name === "answered");
  if (f.drafts) rows.push(["drafts kept", `${f.kept} of ${f.drafts}`]);
  if (known(f.wait)) rows.push(["wait, median", ms(f.wait)], ["wait, longest", ms(f.longest)]);
  if (known(f.from_commit)) rows.push(["commit → sound", ms(f.from_commit)]);
  if (known(f.saved)) rows.push(["saved by a kept draft", ms(f.saved)]);
  for (const [name, value, kind] of rows) { const pair = html("div", {}, $("tallies")); html("dt", {}, pair, name); html("dd", kind ? { class: kind } : {}, pair, value); }
}
function fillKeys() {
  const form = $("keys").firstElementChild, table = html("table", {}, form);
  for (const [keys, what] of [["wheel, pinch, + −, double click", "zoom"], ["drag, ← →", "move"], ["n p", "next, previous in the transcript"], ["/", "search; Enter and Shift+Enter go through what is found"], ["w f b", "longest waits, failures, barge-ins; with Shift: back"],
    ...(scene.sound ? [["space", "play, pause; a click in the lanes or the transcript goes there"]] : []), ["0", "the whole call"], ["t", "light or dark"], ["Esc", "close this"]]) {
    const row = table.insertRow();
    html("kbd", {}, row.insertCell(), keys);
    row.insertCell().textContent = what;
  }
  if (Object.keys(scene.settings).length + Object.keys(scene.thresholds).length) {
    html("h2", {}, form, "Settings of this call");
    const settings = html("table", {}, form);
    for (const [name, value] of [...Object.entries(scene.settings), ...Object.entries(scene.thresholds)]) { const row = settings.insertRow(); row.insertCell().textContent = name; row.insertCell().textContent = value; }
  }
}
$("title").textContent = scene.title;
$("when").textContent = [scene.began && new Date(scene.began).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }), `${clock(scene.seconds, 1)} long`].filter(Boolean).join(" · ");
if (scene.up) { $("up").hidden = false; $("up").href = scene.up; }
for (const notice of scene.notices) html("li", {}, $("notices"), notice);
tallies();
fillLegend();
fillKeys();
setUpSound();
$("in").onclick = () => zoom(0.6); $("out").onclick = () => zoom(1 / 0.6); $("fit").onclick = fit; $("help").onclick = () => $("keys").showModal();
fit();
new ResizeObserver(schedule).observe(lanesSvg);
