// What a reader types into the search of the site, and the page that must come first: `node docsite/searches.mjs SITE`.
// The search is the site's own: its worker and its index, as built; all that is made up here is the window around them.

import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import vm from "node:vm"

const SEARCHES = {
  "browser.html": ["browser", "browser microphone", "web page", "echo cancellation"],
  "connection.html": ["websocket reconnect", "connection lost"],
  "deepgram-sdk.html": ["deepgram sdk"],
  "ear.html": ["ear", "speech recognition"],
  "errors.html": ["exceptions", "errors"],
  "fastapi.html": ["fastapi"],
  "faults.html": ["flux fails", "what happens when"],
  "glossary.html": ["glossary"],
  "greetings.html": ["greeting", "disclaimer", "speak first"],
  "how-it-decides.html": ["eager end of turn", "cancel llm", "state machine"],
  "languages.html": ["languages", "german"],
  "livekit.html": ["livekit"],
  "many-calls.html": ["concurrent calls", "garbage collector"],
  "moving.html": ["pipecat migrate", "migrate from livekit"],
  "numbers.html": ["latency", "benchmark"],
  "observing.html": ["opentelemetry", "prometheus", "metrics", "logging"],
  "phone.html": ["twilio", "telnyx", "phone"],
  "pipecat.html": ["pipecat"],
  "play.html": ["play", "offline", "without key"],
  "policies.html": ["barge-in policy", "barge in", "backchannel", "interruption", "echo", "noise", "min words", "policy"],
  "production.html": ["deploy", "docker", "kubernetes", "sigterm"],
  "recordings.html": ["record calls", "replay"],
  "bot.html": ["timeouts", "history", "respond"],
  "start.html": ["install", "api key", "quickstart", "getting started"],
  "testing.html": ["test my bot", "pytest", "rehearse"],
  "thresholds.html": ["thresholds", "eot_threshold", "tune"],
  "tools.html": ["tool twice", "function calling", "idempotency key"],
  "transfer.html": ["transfer call", "hang up"],
}
const [SETUP, READY, QUERY, RESULT] = [0, 1, 2, 3]

/** The site's search, as a function from what is typed to the pages that are found, best first. */
async function searchOf(site) {
  const workers = join(site, "assets/javascripts/workers")
  const script = readdirSync(workers).find((name) => /^search\..*\.js$/.test(name))
  let hear, answered
  const window = { console, postMessage: (message) => answered(message), addEventListener: (_, told) => (hear = told) }
  window.self = window.global = window
  vm.runInNewContext(readFileSync(join(workers, script), "utf-8"), window)
  const ask = (message) => new Promise((resolve) => ((answered = resolve), hear({ data: message })))
  const index = JSON.parse(readFileSync(join(site, "search/search_index.json"), "utf-8"))
  const { type } = await ask({ type: SETUP, data: { ...index, options: { suggest: false } } })
  if (type !== READY) throw new Error(`the search of ${site} did not begin: message ${type}`)
  return async (typed) => {
    const { type, data } = await ask({ type: QUERY, data: typed })
    if (type !== RESULT) throw new Error(`"${typed}": message ${type}`)
    return data.items.map(([best]) => best.location.split("#")[0])
  }
}

const search = await searchOf(process.argv[2])
const tried = Object.entries(SEARCHES).flatMap(([page, all]) => all.map((typed) => ({ page, typed })))
let wrong = 0
for (const { page, typed } of tried) {
  const found = await search(typed)
  if (found[0] !== page) {
    wrong += 1
    console.log(`"${typed}" leads to ${found.slice(0, 4).join(", ") || "nothing"}, and not first to ${page}`)
  }
}
console.log(`searches: ${tried.length - wrong} of ${tried.length} lead to their page`)
process.exitCode = wrong ? 1 : 0
