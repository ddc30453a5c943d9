/** The console: asks for the bot's state once a second and shows it. No state of its own. */

const EVERY_MS = 1000;

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

/**
 * A list item of words; a word is a text, or a text with a class.
 * @param {...(string | [string, string])} words
 */
function item(...words) {
  const li = document.createElement("li");
  for (const word of words) {
    const [text, kind] = Array.isArray(word) ? word : [word, ""];
    if (!text) continue;
    const part = document.createElement(kind === "strong" ? "strong" : "span");
    part.textContent = text;
    if (kind !== "strong" && kind) part.className = kind;
    li.append(part);
  }
  return li;
}

/** @param {string} id @param {HTMLLIElement[]} items @param {string} none */
function fill(id, items, none) {
  byId(id).replaceChildren(...(items.length ? items : [item([none, "empty"])]));
}

/** @param {number | null} epoch seconds */
function since(epoch) {
  if (!epoch) return "";
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - epoch));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** @param {any} account */
function presence(account) {
  if (!account.registered) return ["not registered", "empty"];
  if (account.dnd) return ["do not disturb", "bad"];
  return account.in_call ? ["in a call", "busy"] : ["free", "good"];
}

/** @param {any} state */
function show(state) {
  const up = state.sessions.filter((/** @type {any} */ s) => s.up).length;
  const health = byId("health");
  health.textContent = up === state.sessions.length ? "all sessions are up" : `${up} of ${state.sessions.length} sessions are up`;
  health.className = up === state.sessions.length ? "good" : "bad";
  fill("sessions", state.sessions.map((/** @type {any} */ s) =>
    item([s.extension, "strong"], s.up ? ["up", "good"] : ["down", "bad"], s.trouble)), "none");
  fill("calls", state.calls.map((/** @type {any} */ c) =>
    item([c.remote, "strong"], c.direction, [c.state, "busy"], since(c.answered ?? c.started))), "no call");
  fill("domain-calls", state.domain_calls.map((/** @type {any} */ c) =>
    item([`${c.from} → ${c.to}`, "strong"], [c.state, "busy"], since(c.start))), "no call");
  fill("accounts", state.accounts.map((/** @type {any} */ a) =>
    item([a.account, "strong"], ` ${a.name} `, presence(a))), "nobody told");
  fill("plugins", state.plugins.map((/** @type {any} */ p) =>
    item([p.name, "strong"], [p.state, p.state === "running" ? "good" : "bad"], p.detail)), "no plugin");
}

async function refresh() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(`the bot answered ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    const health = byId("health");
    health.textContent = `the bot does not answer: ${error instanceof Error ? error.message : error}`;
    health.className = "bad";
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
