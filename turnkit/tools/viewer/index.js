const calls = data.calls;

// Columns -------------------------------------------------------------------------------------------------------------
const figure = (name) => (call) => call.figures[name];
const worst = Math.max(0, ...calls.map((call) => call.figures.longest ?? 0));
const COLUMNS = [
  { id: "call", name: "call", value: (call) => call.name.toLowerCase() },
  { id: "began", name: "began", kind: "wide", value: (call) => call.began, text: (call) => call.began ? new Date(call.began).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "–" },
  { id: "seconds", name: "length", down: true, value: (call) => call.seconds, text: (call) => clock(call.seconds) },
  { id: "turns", name: "turns", down: true, value: figure("turns") },
  { id: "failures", name: "failed", down: true, bad: true, title: "replies that failed, drafts among them", value: figure("failures") },
  { id: "dropped", name: "no answer", down: true, kind: "wide", title: "turns that were to get none, such as a backchannel", value: figure("dropped") },
  { id: "barge_ins", name: "barge-ins", down: true, kind: "wide", value: figure("barge_ins") },
  { id: "kept", name: "drafts kept", kind: "wide", value: (call) => call.figures.drafts ? call.figures.kept / call.figures.drafts : null, text: (call) => call.figures.drafts ? `${call.figures.kept} of ${call.figures.drafts}` : "–" },
  { id: "wait", name: "wait", down: true, title: "median, from the last word to the first sound", value: figure("wait"), text: (call) => ms(call.figures.wait) },
  { id: "longest", name: "longest", down: true, title: "the longest wait", value: figure("longest"), text: (call) => ms(call.figures.longest) },
];
const FILTERS = [
  { id: "failed", name: "with failures", test: (call) => call.figures.failures > 0 },
  { id: "barge-ins", name: "with barge-ins", test: (call) => call.figures.barge_ins + call.figures.interrupts > 0 },
  { id: "lost", name: "stream lost", test: (call) => call.figures.outages > 0 },
  { id: "cut", name: "incomplete", test: (call) => call.notices.length > 0 },
  { id: "audio", name: "with audio", test: (call) => call.audio },
];
const state = { sort: "began", down: true, search: "", over: 0, on: new Set() };

// Rows ----------------------------------------------------------------------------------------------------------------
const body = document.querySelector("#calls tbody"), head = document.querySelector("#calls thead tr");
for (const column of COLUMNS) {
  column.cell = html("th", { class: `${column.id} ${column.kind || ""}`, scope: "col", ...(column.title ? { title: column.title } : {}) }, head);
  html("button", { type: "button" }, column.cell, column.name).onclick = () => { state.down = state.sort === column.id ? !state.down : Boolean(column.down); state.sort = column.id; apply(); };
}
for (const call of calls) {
  call.row = html("tr", {});
  for (const column of COLUMNS) {
    const value = column.value(call), cell = html("td", { class: `${column.id} ${column.kind || ""}` }, call.row);
    if (column.id === "call") {
      call.link = html("a", { href: call.href }, cell, call.name);
      call.found = html("small", {}, cell);
      if (call.notices.length) html("small", {}, cell, call.notices.join(" "));
    } else if (column.id === "longest" && known(value) && worst > 0) {
      html("i", { style: `width: ${(value / worst * 100).toFixed(1)}%` }, cell);
      html("span", {}, cell, column.text(call));
    } else cell.textContent = column.text ? column.text(call) : value;
    if (value === 0) cell.classList.add("zero"); else if (column.bad) cell.classList.add("bad");
  }
}
for (const filter of FILTERS) {
  const count = calls.filter(filter.test).length;
  if (!count) continue;
  filter.button = html("button", { type: "button", "aria-pressed": "false" }, $("filters"), `${filter.name} ${count}`);
  filter.button.onclick = () => { if (!state.on.delete(filter.id)) state.on.add(filter.id); apply(); };
}

// What is shown, and in which order -----------------------------------------------------------------------------------
function snippet(call, wanted) {
  call.found.replaceChildren();
  if (!wanted) return true;
  if (call.name.toLowerCase().includes(wanted)) return true;
  const i = (call.lower ??= call.words.toLowerCase()).indexOf(wanted);
  if (i < 0) return false;
  const from = Math.max(i - 40, 0), to = i + wanted.length + 60;
  call.found.append(from ? "…" : "", call.words.slice(from, i), html("mark", {}, null, call.words.slice(i, i + wanted.length)), call.words.slice(i + wanted.length, to), to < call.words.length ? "…" : "");
  return true;
}
function apply({ keep = true } = {}) {
  const column = COLUMNS.find((one) => one.id === state.sort), sign = state.down ? -1 : 1, wanted = state.search.trim().toLowerCase();
  const shown = calls.filter((call) => snippet(call, wanted) && FILTERS.every((filter) => !state.on.has(filter.id) || filter.test(call)) && (!state.over || (call.figures.longest ?? 0) > state.over));
  shown.sort((a, b) => {
    const one = column.value(a), other = column.value(b);
    if (!known(one) || !known(other)) return known(one) ? -1 : known(other) ? 1 : 0;  // what is not known comes last
    return sign * (one < other ? -1 : one > other ? 1 : 0);
  });
  body.replaceChildren(...shown.map((call) => call.row));
  for (const one of COLUMNS) one.cell.setAttribute("aria-sort", one !== column ? "none" : state.down ? "descending" : "ascending");
  for (const filter of FILTERS) filter.button?.setAttribute("aria-pressed", String(state.on.has(filter.id)));
  $("shown").textContent = shown.length === calls.length ? many(calls.length, "call") : `${shown.length} of ${many(calls.length, "call")}`;
  if (keep) {
    const kept = new URLSearchParams({ sort: (state.down ? "-" : "") + state.sort, ...(wanted ? { search: state.search } : {}), ...(state.over ? { over: state.over } : {}), ...(state.on.size ? { only: [...state.on].join(" ") } : {}) });
    history.replaceState(null, "", "#" + kept);
  }
}
// Whoever comes back from a call finds the index as it was.
function recall() {
  const kept = new URLSearchParams(location.hash.slice(1)), sort = kept.get("sort") || "-began";
  if (COLUMNS.some((column) => column.id === sort.replace("-", ""))) { state.sort = sort.replace("-", ""); state.down = sort.startsWith("-"); }
  $("search").value = state.search = kept.get("search") || "";
  state.over = Number(kept.get("over")) || 0;
  if (state.over) $("over").value = state.over;
  state.on = new Set((kept.get("only") || "").split(" ").filter((id) => FILTERS.some((filter) => filter.id === id && filter.button)));
  apply({ keep: false });
}
$("search").addEventListener("input", () => { state.search = $("search").value; apply(); });
$("over").addEventListener("input", () => { state.over = Number($("over").value) || 0; apply(); });

// Keys ----------------------------------------------------------------------------------------------------------------
function goTo(direction) {
  const links = [...body.querySelectorAll("a")];
  if (!links.length) return;
  const here = links.indexOf(document.activeElement);
  links[Math.min(Math.max(here < 0 ? (direction > 0 ? 0 : links.length - 1) : here + direction, 0), links.length - 1)].focus();
}
const KEYS = { "/": () => $("search").focus(), t: turnOver, j: () => goTo(1), k: () => goTo(-1), ArrowDown: () => goTo(1), ArrowUp: () => goTo(-1) };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === $("search") && event.key === "Escape") { $("search").value = state.search = ""; apply(); return; }
  if (event.target === $("search") && (event.key === "ArrowDown" || event.key === "Enter")) { goTo(1); event.preventDefault(); return; }
  if (typing(event)) return;
  const act = KEYS[event.key];
  if (act) { act(); event.preventDefault(); }
});

$("title").textContent = data.title;
$("when").textContent = `${many(calls.length, "call")}, ${clock(calls.reduce((sum, call) => sum + call.seconds, 0))} in all`;
const total = (name) => calls.reduce((sum, call) => sum + call.figures[name], 0);
const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const waits = calls.map((call) => call.figures.wait).filter(known);
for (const [name, value, bad] of [["turns", total("turns")], ["failed", total("failures"), true], ["without an answer", total("dropped")], ["barge-ins", total("barge_ins")], ["drafts kept", total("drafts") ? percent(total("kept") / total("drafts")) : 0],
  ["a call's median wait", waits.length ? ms(middle(waits)) : 0], ["the longest", worst ? ms(worst) : 0]]) {
  if (!value) continue;
  const pair = html("div", {}, $("tallies"));
  html("dt", {}, pair, name);
  html("dd", bad ? { class: "stop" } : {}, pair, value);
}
for (const problem of data.unreadable) html("li", {}, $("notices"), `left out: ${problem}`);
recall();
