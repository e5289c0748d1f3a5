"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const css = (name) => `var(--${name})`;

function svg(name, attributes, parent, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}
function html(name, attributes, parent, text) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  if (parent) parent.append(node);
  return node;
}

// Numbers -------------------------------------------------------------------------------------------------------------
const known = (value) => value !== null && value !== undefined;
const clock = (t, digits = 0) => {
  const scale = 10 ** digits, s = Math.round(Math.abs(t) * scale) / scale, hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
  const rest = (s % 60).toFixed(digits), two = (text) => text.split(".")[0].length < 2 ? "0" + text : text;
  return (t < 0 && s ? "−" : "") + (hours ? `${hours}:${two(String(minutes))}` : minutes) + ":" + two(rest);
};
const ms = (seconds) => !known(seconds) ? "–" : Math.abs(seconds) < 0.9995 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(Math.abs(seconds) < 9.995 ? 2 : 1)} s`;
const percent = (share, digits = 0) => !known(share) ? "–" : `${(share * 100).toFixed(digits)} %`;
const many = (count, one, more = one + "s") => `${count} ${count === 1 ? one : more}`;

// What a mark is about: beside the pointer ----------------------------------------------------------------------------
const told = new WeakMap();
// `rows` may be a function: most marks are never asked.
function tell(node, title, rows) { told.set(node, [title, rows]); node.classList.add("tells"); }
function aboutOf(node) {
  while (node && !told.has(node)) node = node.parentNode;
  return node && told.get(node);
}
function fillAbout(place, about) {
  const table = html("table", { role: "presentation" });
  for (const [name, value] of typeof about[1] === "function" ? about[1]() : about[1]) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value;
  }
  place.replaceChildren(html("b", {}, null, about[0]), table);
}
function showTip(event) {
  const tip = $("tip"), about = aboutOf(event.target);
  tip.hidden = !about;
  if (!about) return;
  fillAbout(tip, about);
  const below = event.clientY + 18 + tip.offsetHeight < innerHeight;
  tip.style.left = Math.max(Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8), 8) + "px";
  tip.style.top = (below ? event.clientY + 18 : Math.max(event.clientY - tip.offsetHeight - 12, 4)) + "px";
}

// Colours -------------------------------------------------------------------------------------------------------------
const page = document.documentElement;
if (!page.dataset.theme) page.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
function turnOver() { page.dataset.theme = page.dataset.theme === "dark" ? "light" : "dark"; }
if ($("theme")) $("theme").onclick = turnOver;
const typing = (event) => /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
