const tuning = data.tuning, outcomes = tuning.outcomes || [], advice = tuning.recommendation;
const current = outcomes.find((one) => one.name === tuning.current.name) || tuning.current;
const best = advice ? outcomes.find((one) => one.name === advice.name) : null;
const stays = Boolean(best) && best.name === current.name;
const currency = tuning.currency || tuning.worth?.currency || data.currency || "";
const callCost = tuning.worth?.call ?? 0;
const money = (value) => { const size = Math.abs(value); return `${size && size < 10 ? value.toFixed(size < 0.1 ? 3 : 2) : value.toFixed(size < 100 ? 1 : 0)}${currency ? " " + currency : ""}`; };
const per100 = (value) => !known(value) ? "–" : (value * 100).toFixed(value < 0.1 ? 1 : 0);
const is = (estimate) => known(estimate?.value);
const reach = (estimate, text) => known(estimate?.low) && known(estimate?.high) ? `${text(estimate.low)} to ${text(estimate.high)}` : "";
const named = (one) => one.name.replace(/^eot/, "end").replace(/, (\d+) a turn/, (_, count) => `, at most ${count} draft${count > 1 ? "s" : ""} a turn`);

// Axes ----------------------------------------------------------------------------------------------------------------
function nice(low, high) {
  if (!(high > low)) { high = low + (Math.abs(low) || 1) * 0.1; }
  const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw)), step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (Math.abs(step / 10 ** Math.floor(Math.log10(step) + 1e-9) - 2.5) < 1e-6 ? 1 : 0));
  return { from: Math.floor(low / step + 1e-9) * step, to: Math.ceil(high / step - 1e-9) * step, step, digits };
}
function axes(place, xs, ys, xName, yName, xUnit = "", yUnit = "") {
  const width = place.clientWidth || 600, height = Math.min(330, Math.max(240, width * 0.6)), left = 58, bottom = 44, top = 14, right = 18;
  place.setAttribute("height", height);
  place.replaceChildren();
  const xr = nice(...xs), yr = nice(...ys);
  const x = (v) => left + (v - xr.from) / (xr.to - xr.from) * (width - left - right), y = (v) => height - bottom - (v - yr.from) / (yr.to - yr.from) * (height - bottom - top);
  const grid = svg("g", { class: "axis" }, place), count = (r) => Math.round((r.to - r.from) / r.step);
  for (let i = 0; i <= count(xr); i++) {
    const v = xr.from + i * xr.step;
    svg("line", { x1: x(v), x2: x(v), y1: top, y2: height - bottom }, grid);
    svg("text", { x: x(v), y: height - bottom + 16, "text-anchor": "middle", class: "x-tick" }, grid, v.toFixed(xr.digits) + xUnit);
  }
  for (let i = 0; i <= count(yr); i++) {
    const v = yr.from + i * yr.step;
    svg("line", { x1: left, x2: width - right, y1: y(v), y2: y(v) }, grid);
    svg("text", { x: left - 7, y: y(v) + 4, "text-anchor": "end", class: "y-tick" }, grid, v.toFixed(yr.digits) + yUnit);
  }
  svg("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle", class: "soft" }, place, xName);
  svg("text", { x: 13, y: (height - bottom + top) / 2, transform: `rotate(-90 13 ${(height - bottom + top) / 2})`, "text-anchor": "middle", class: "soft" }, place, yName);
  return { x, y, width, left, right: width - right };
}

// What waiting less costs ---------------------------------------------------------------------------------------------
const MEASURES = {
  cuts: { of: (one) => one.cut_offs, factor: 100, unit: "", name: "cut off, of 100 turns" },
  costs: currency ? { of: (one) => one.extra, factor: callCost * 1000, unit: "", name: `extra LLM calls, ${currency} a 1,000 turns` }
    : { of: (one) => one.extra, factor: 1, unit: "", name: "extra LLM calls a turn" },
};
if (currency) $("costs-name").textContent = "What waiting less costs in money";
const front = outcomes.filter((one) => one.knowledge !== "bounds" && one.on_front && one !== current && one !== best).sort((a, b) => a.response.value - b.response.value);
const open = outcomes.filter((one) => one.knowledge === "bounds" && one !== current && one !== best);
const beyond = (open.some((one) => one.on_front) ? open.filter((one) => one.on_front) : open).slice(0, 8);
const rowsOf = (one) => [["waits, mean", one.knowledge === "bounds" ? reach(one.response, ms) : ms(one.response.value)], ["", one.knowledge === "bounds" ? "" : reach(one.response, ms)], ["waits, median and p95", `${ms(one.median)}, ${ms(one.p95)}`],
  ["cut off, of 100 turns", `${per100(one.cut_offs.value)} (${reach(one.cut_offs, per100)})`], ["extra LLM calls a turn", `${one.extra.value.toFixed(2)} (${reach(one.extra, (v) => v.toFixed(2))})`], ["known", KNOWN[one.knowledge] || one.knowledge]].filter(([, value]) => value);
const KNOWN = { exact: "but for chance", rough: "roughly", bounds: "only its bounds" };
const points = new Map();
function remember(one, node) { if (!points.has(one.name)) points.set(one.name, []); points.get(one.name).push(node); tell(node, named(one), rowsOf(one)); }
function drawFront(id) {
  const measure = MEASURES[id], place = $(id), scaled = (v) => v * measure.factor;
  const all = [current, ...(best && !stays ? [best] : []), ...front, ...beyond].filter((one) => is(one.response) && is(measure.of(one)));
  const inReach = (estimate, value) => known(value) && Math.abs(value - estimate.value) < 4 * Math.max(estimate.value, 1e-9) ? value : estimate.value;
  const spanOf = (estimate) => [inReach(estimate, estimate.low), inReach(estimate, estimate.high)];
  const xs = all.flatMap((one) => spanOf(one.response)), ys = all.flatMap((one) => spanOf(measure.of(one))).map(scaled);
  const { x, y, width, left, right } = axes(place, [Math.min(...xs), Math.max(...xs)], [Math.max(0, Math.min(0, ...ys)), Math.max(...ys)], place.clientWidth < 480 ? "mean wait, last word to first sound" : "waiting, from the last word to the first sound (mean)", measure.name, " s");
  const edge = [];
  for (const one of [...front, ...all.filter((one) => one.on_front && !front.includes(one))].sort((a, b) => a.response.value - b.response.value))
    if (!edge.length || measure.of(one).value < measure.of(edge.at(-1)).value) edge.push(one);
  svg("path", { d: edge.map((one, i) => `${i ? "L" : "M"}${x(one.response.value)},${y(scaled(measure.of(one).value))}`).join(""), class: "edge" }, place);
  for (const one of beyond) {
    const [from, to] = spanOf(one.response).map(x), [low, high] = spanOf(measure.of(one)).map(scaled).map(y);
    const box = svg("rect", { x: Math.min(from, to), y: Math.min(low, high) - 3, width: Math.max(Math.abs(to - from), 3), height: Math.max(Math.abs(low - high) + 6, 6), rx: 3, class: "box", "data-known": "bounds" }, place);
    remember(one, box);
  }
  const cross = (one, parent, kind) => {
    const px = x(one.response.value), py = y(scaled(measure.of(one).value)), [xl, xh] = spanOf(one.response), [yl, yh] = spanOf(measure.of(one));
    svg("line", { x1: x(xl), x2: x(xh), y1: py, y2: py, class: kind }, parent);
    svg("line", { x1: px, x2: px, y1: Math.min(y(scaled(Math.max(yl, 0))), y(0)), y2: y(scaled(yh)), class: kind }, parent);
    return [px, py];
  };
  for (const one of front) {
    const [px, py] = cross(one, place, "whisker");
    remember(one, svg("circle", { cx: px, cy: py, r: 4.5, class: `known-${one.knowledge}`, "data-known": one.knowledge }, place));
  }
  const labels = [];
  for (const [one, kind, label] of [[current, "now", stays ? "running now, and recommended" : "running now"], ...(best && !stays ? [[best, "pick", "recommended"]] : [])]) {
    if (!is(one.response) || !is(measure.of(one))) continue;
    const group = svg("g", { class: kind }, place), [px, py] = cross(one, group, "strong");
    svg("circle", { cx: px, cy: py, r: 8 }, group);
    remember(one, group.lastChild);
    const leftward = px > left + (right - left) * 0.62;
    let above = py - 13;
    if (labels.some(([lx, ly]) => Math.abs(lx - px) < 150 && Math.abs(ly - above) < 15)) above = py + 24;
    labels.push([px, above]);
    svg("text", { x: px + (leftward ? -6 : 6), y: Math.max(above, 12), "text-anchor": leftward ? "end" : "start", class: "halo" }, group, label);
  }
}
function light(name, on) { for (const node of points.get(name) || []) node.classList.toggle("lit", on); }

// Intervals in tables: a dot, its reach, and the numbers ---------------------------------------------------------------
function interval(cell, estimate, text, most, least = 0) {
  cell.className = "num";
  if (!is(estimate)) { cell.textContent = "–"; return; }
  const icon = svg("svg", { width: 84, height: 12, "aria-hidden": "true" }, cell), x = (v) => 4 + Math.min(Math.max((v - least) / ((most - least) || 1), 0), 1) * 76;
  svg("line", { x1: 4, x2: 80, y1: 6, y2: 6, stroke: css("line") }, icon);
  if (known(estimate.low) && known(estimate.high)) svg("line", { x1: x(estimate.low), x2: x(estimate.high), y1: 6, y2: 6, class: "reach" }, icon);
  svg("circle", { cx: x(estimate.value), cy: 6, r: 3.5, class: "dot" }, icon);
  const between = reach(estimate, text);
  cell.append(text(estimate.value));
  if (between) { html("small", {}, cell, between); cell.title = between; }
}
function heading(table, names) {
  const row = table.createTHead().insertRow();
  for (const [name, kind, title] of names) html("th", { scope: "col", ...(kind ? { class: kind } : {}), ...(title ? { title } : {}) }, row, name);
  return table.createTBody();
}
function fillSettings() {
  const shown = [...new Set([...(best ? [best] : []), current, ...front, ...beyond])].sort((a, b) => a.cost - b.cost), body = heading($("settings"), [["setting"], ["waits, mean"], ["p95", "wide"], ["cut off, of 100"], ["extra LLM calls"], ["answered by a draft", "wide"], [`costs, ${currency ? currency + " " : ""}a 1,000 turns`, "wide", "waiting, cut-offs and LLM calls, at what they are worth to you"], ["known", "wide"]]);
  const most = (of) => Math.max(...shown.map((one) => of(one).high ?? of(one).value));
  for (const one of shown) {
    const row = body.insertRow();
    row.className = one === best ? "best" : one === current ? "current" : "";
    const button = html("button", { type: "button" }, row.insertCell(), named(one));
    if (one === best || one === current) html("small", {}, button.parentNode, one === current ? (stays ? "running now, and recommended" : "running now") : "recommended");
    interval(row.insertCell(), one.response, ms, most((o) => o.response));
    Object.assign(row.insertCell(), { textContent: ms(one.p95), className: "wide num" });
    interval(row.insertCell(), one.cut_offs, per100, most((o) => o.cut_offs));
    interval(row.insertCell(), one.extra, (v) => v.toFixed(2), most((o) => o.extra));
    Object.assign(row.insertCell(), { textContent: percent(one.hits), className: "wide num" });
    Object.assign(row.insertCell(), { textContent: money(one.cost * 1000).replace(` ${currency}`, ""), className: "wide num" });
    Object.assign(row.insertCell(), { textContent: one.knowledge, className: "wide" });
    for (const [kind, on] of [["pointerenter", true], ["pointerleave", false], ["focusin", true], ["focusout", false]]) row.addEventListener(kind, () => light(one.name, on));
  }
}
function fillRows(table, rows) {
  // Whatever there is with an interval is a column; the first text is what the row is called.
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row).filter((key) => is(row[key]))))];
  const labelOf = (row) => row.label ?? row.name ?? row.segment ?? row.week ?? row.value ?? Object.values(row).find((one) => typeof one === "string") ?? "";
  const counts = ["turns", "utterances", "calls", "conversations"].filter((key) => rows.some((row) => typeof row[key] === "number"));
  const words = { response: "waits, mean", cut_offs: "cut off, of 100", extra: "extra LLM calls", confirmed: "eager ends that were the end", gain: `its own saves, ${currency ? currency + " " : ""}a 1,000 turns` };
  const texts = { response: ms, cut_offs: per100, confirmed: percent, gain: (v) => money(v * 1000).replace(` ${currency}`, "").replace(/^-(0[.0]*)$/, "$1") };
  const advisedOf = (row) => { const advised = row.recommended ?? row.recommendation; return !advised ? "" : typeof advised === "string" ? advised : advised.name ?? ""; }, advising = rows.some(advisedOf);
  const body = heading(table, [[""], ...(advising ? [["run"]] : []), ...counts.map((key) => [key]), ...columns.map((key) => [words[key] || key.replaceAll("_", " ")])]);
  for (const item of rows) {
    const row = body.insertRow();
    row.className = item.own ? "best" : "";
    row.insertCell().textContent = labelOf(item);
    if (advising) row.insertCell().textContent = named({ name: advisedOf(item) });
    for (const key of counts) Object.assign(row.insertCell(), { textContent: item[key] ?? "–", className: "num" });
    for (const key of columns) interval(row.insertCell(), item[key], texts[key] || ((v) => v.toFixed(2)), Math.max(...rows.map((one) => one[key]?.high ?? one[key]?.value ?? 0)), Math.min(0, ...rows.map((one) => one[key]?.low ?? one[key]?.value ?? 0)));
  }
}

// Confidence and overlaps ---------------------------------------------------------------------------------------------
const bins = (tuning.calibration || tuning.reliability)?.bins || [];
const value = (bin) => bin.confirmed ?? bin.share;
function drawReliability() {
  if (!bins.some((bin) => is(value(bin)))) { $("reliability-figure").hidden = true; return; }
  const place = $("reliability"), { x, y } = axes(place, [bins[0].low, bins.at(-1).high], [0, 100], "confidence of the eager end of turn", "were the end", "", " %");
  const most = Math.max(...bins.map((bin) => bin.drafts ?? 1)), ends = [bins[0].low, Math.min(bins.at(-1).high, 1)];
  svg("path", { d: `M${x(ends[0])},${y(ends[0] * 100)}L${x(ends[1])},${y(ends[1] * 100)}`, class: "ideal" }, place);
  if (bins.every((bin) => known(bin.rising))) svg("path", { d: bins.map((bin, i) => `${i ? "L" : "M"}${x((bin.low + bin.high) / 2)},${y(bin.rising * 100)}`).join(""), class: "rise" }, place);
  for (const bin of bins) if (is(value(bin))) {
    const middle = x((bin.low + bin.high) / 2), share = value(bin);
    if (known(share.low) && known(share.high)) svg("line", { x1: middle, x2: middle, y1: y(share.low * 100), y2: y(share.high * 100), stroke: css("user"), "stroke-width": 2 }, place);
    tell(svg("circle", { cx: middle, cy: y(share.value * 100), r: 3 + 5 * Math.sqrt((bin.drafts ?? 1) / most), fill: css("user"), class: "bin" }, place), `confidence ${bin.low.toFixed(2)} to ${bin.high.toFixed(2)}`,
      [["eager ends", bin.drafts ?? "–"], ["were the end", percent(share.value)], ["95 % interval", reach(share, percent)]]);
  }
}
function fillPolicies() {
  const rows = (data.barge_in || []).filter((row) => row.overlaps);
  if (!rows.length) { $("overlaps").hidden = true; return; }
  $("overlaps-about").textContent = `${rows[0].overlaps} overlaps, of which ${rows[0].meant} were meant for the floor`;
  const body = heading($("policies"), [["barge-in policy"], ["stopped for nothing"], ["not stopped, though meant"], ["reaction", "wide"]]);
  for (const row of rows) {
    const line = body.insertRow();
    line.insertCell().textContent = row.policy;
    interval(line.insertCell(), row.overlaps > row.meant ? row.false_stops : null, percent, 1);
    interval(line.insertCell(), row.meant ? row.missed : null, percent, 1);
    Object.assign(line.insertCell(), { textContent: ms(row.reaction), className: "wide num" });
  }
}

// The answer ----------------------------------------------------------------------------------------------------------
function fillAnswer() {
  const turns = `${tuning.utterances} utterances in ${many(tuning.conversations, "call")}`, say = $("do");
  $("when").textContent = turns;
  if (!advice) say.append(`Too little is known to recommend a setting: there are ${turns}. Keep `, html("b", { class: "stay" }, null, named(current)), ".");
  else if (stays) say.append("Stay with ", html("b", { class: "stay" }, null, named(current)), ".");
  else say.append(advice.shown ? "Run " : "Try ", html("b", {}, null, named(advice)), ` instead of ${named(current)}.`);
  const basis = best ? { exact: "What it would bring is known, but for chance", rough: "What it would bring is known roughly", bounds: "Only bounds are known for it" }[best.knowledge] : "";
  $("rests").textContent = advice ? [`Rests on ${turns}: ${advice.why}.`, basis && `${basis}.`, advice.min_confidence ? `Draft from a confidence of ${advice.min_confidence.toFixed(2)} on.` : ""].filter(Boolean).join(" ") : "";
  for (const caveat of [...(tuning.caveats || []), ...(tuning.unknown || [])]) html("li", {}, $("notices"), typeof caveat === "string" ? caveat : caveat.why ?? caveat.name ?? "");
  if (data.unreadable?.length) html("li", {}, $("notices"), `left out: ${many(data.unreadable.length, "file")} that could not be read`);
  const table = html("table", {}, $("compare")), body = heading(table, [[""], ["running now"], ...(best && !stays ? [["recommended"], ["difference"]] : [])]);
  for (const [name, of, text, down] of [["waits, mean", (one) => one.response, ms], ["cut off, of 100 turns", (one) => one.cut_offs, per100], ["extra LLM calls a turn", (one) => one.extra, (v) => v.toFixed(2)],
    ["waits, p95", (one) => ({ value: one.p95 }), ms], [`costs, ${currency ? currency + " " : ""}a 1,000 turns`, (one) => ({ value: one.cost * 1000 }), (v) => money(v).replace(` ${currency}`, "")]]) {
    const row = body.insertRow(), pair = best && !stays ? [current, best] : [current];
    html("th", { scope: "row" }, row, name);
    const most = Math.max(...pair.map((one) => of(one)?.high ?? of(one)?.value ?? 0));
    for (const one of pair) interval(row.insertCell(), of(one), text, most);
    if (pair.length < 2 || !is(of(current)) || !is(of(best))) continue;
    const less = of(best).value - of(current).value, cell = row.insertCell(), told = text(Math.abs(less));
    cell.className = "num " + (text(less) === text(0) ? "" : less < 0 ? "better" : "worse");
    cell.textContent = text(Math.abs(less)) === text(0) ? "the same" : `${told} ${less < 0 ? "less" : "more"}`;
  }
}
function fillMarks() {
  const item = (text, draw) => { const span = html("span", {}, $("marks")), icon = svg("svg", { width: 26, height: 14, viewBox: "-13 -7 26 14", "aria-hidden": "true" }); draw(icon); span.append(icon, text); };
  const dot = (kind, r) => (icon) => { svg("line", { x1: -12, x2: 12, y1: 0, y2: 0, class: kind.startsWith("known") ? "whisker" : "reach" }, icon); svg("circle", { r, class: kind }, icon); };
  item("running now", dot("now", 6));
  if (best && !stays) item("recommended", dot("pick", 6));
  const all = new Set(front.map((one) => one.knowledge));
  if (all.has("exact")) item("known but for chance: its 95 % interval", dot("known-exact", 4.5));
  if (all.has("rough")) item("known roughly: its 95 % interval holds what is open too", dot("known-rough", 4.5));
  if (beyond.length) item("only bounds are known: it lies somewhere in there", (icon) => svg("rect", { x: -12, y: -5, width: 24, height: 10, rx: 3, class: "box" }, icon));
}
document.addEventListener("pointermove", showTip);
document.addEventListener("keydown", (event) => { if (event.key === "t" && !event.ctrlKey && !event.metaKey && !typing(event)) turnOver(); });
fillAnswer();
fillSettings();
fillPolicies();
fillMarks();
if (tuning.by) $("segments").querySelector("figcaption").append(` of ${tuning.by}`, html("small", {}, null, "one of its own is given only where calls that had no say in the choice show that it saves"));
for (const [id, given] of [["segments", tuning.segments], ["drift", tuning.weeks]]) {
  const rows = [given ?? []].flat().filter((row) => row && Object.values(row).some(is));
  if (rows.length) fillRows($(id).querySelector("table"), rows); else $(id).hidden = true;
}
function draw() { points.clear(); drawFront("cuts"); drawFront("costs"); drawReliability(); }
draw();
let drawnAt = innerWidth;
new ResizeObserver(() => { if ($("cuts").clientWidth !== drawnAt) { drawnAt = $("cuts").clientWidth; draw(); } }).observe($("cuts"));
