/** The console: asks for the bot's state once a second and shows it. No state of its own. */

const EVERY_MS = 1000;
/** A bot that has not answered within this is as good as gone. */
const PATIENCE_MS = 5000;

/** What a number is that is nobody's extension, as the PBX names it. */
const KINDS = { hunts: "group", acds: "queue", conferences: "conference", orbits: "park orbit", attendants: "attendant" };

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
};

/**
 * A list item of words, each with its classes; empty ones are left out. A "strong" one is the item's name.
 * @param {...[string, string]} words
 */
function item(...words) {
  const li = document.createElement("li");
  for (const [text, classes] of words) {
    if (!text) continue;
    const part = document.createElement(classes === "strong" ? "strong" : "span");
    part.textContent = text;
    if (classes !== "strong") part.className = classes;
    li.append(part);
  }
  return li;
}

/** What has not changed stays, so that it can be selected. @param {string} id @param {HTMLLIElement[]} items @param {string} none */
function fill(id, items, none) {
  const list = byId(id);
  const wanted = items.length ? items : [item([none, "empty"])];
  wanted.forEach((li, i) => {
    const old = list.children[i];
    if (!old) list.append(li);
    else if (!old.isEqualNode(li)) old.replaceWith(li);
  });
  while (list.children.length > wanted.length) list.lastElementChild?.remove();
}

/** @param {number | null} epoch seconds */
function since(epoch) {
  if (!epoch) return "";
  const seconds = Math.max(0, Math.round(Date.now() / 1000 - epoch));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** @param {any} account */
const isPerson = (account) => !account.type || account.type === "extensions";

/** @param {any} account @returns {[string, string]} */
function presence(account) {
  if (!isPerson(account)) return [KINDS[account.type] ?? "service", "status"];
  if (!account.registered) return ["not registered", "status"];
  if (account.dnd) return ["do not disturb", "status bad"];
  return account.in_call ? ["in a call", "status busy"] : ["free", "status good"];
}

/** Where a name says nothing but the number, the number is not said twice. @param {any} account */
function tile(account) {
  const named = account.name && account.name !== account.account;
  return item([named ? account.name : account.account, "strong"], [named ? account.account : "", "number"], presence(account));
}

/** @param {any[]} accounts */
const byNumber = (accounts) => [...accounts].sort((a, b) => a.account.localeCompare(b.account, undefined, { numeric: true }));

/** @param {any} state */
function show(state) {
  const { length } = state.sessions;
  const up = state.sessions.filter((/** @type {any} */ s) => s.up).length;
  const sessions = length === 1 ? "the session is" : "all sessions are";
  health(up === length ? `${sessions} up` : `${up} of ${length} sessions up`, up === length);
  fill("sessions", state.sessions.map((/** @type {any} */ s) =>
    item([s.extension, "strong"], s.up ? ["up", "status good"] : ["down", "status bad"], [s.trouble, "detail"])), "none");
  fill("calls", state.calls.map((/** @type {any} */ c) =>
    item([c.remote || "anonymous", "strong"], [c.direction, "status"], [c.state, "status busy"],
      [since(c.answered ?? c.started), "time"])), "no call");
  fill("domain-calls", state.domain_calls.map((/** @type {any} */ c) =>
    item([`${c.from || "anonymous"} → ${c.to || "?"}`, "strong"], [c.state, "status busy"], [since(c.start), "time"])), "no other call");
  const accounts = byNumber(state.accounts);
  fill("people", accounts.filter(isPerson).map(tile), "the PBX has told of nobody");
  fill("numbers", accounts.filter((account) => !isPerson(account)).map(tile), "none");
  fill("plugins", state.plugins.map((/** @type {any} */ p) =>
    item([p.name, "strong"], [p.state, `status ${p.state === "running" ? "good" : "bad"}`], [p.detail, "detail"])), "no plugin");
}

/** @param {string} text @param {boolean} good */
function health(text, good) {
  const line = byId("health");
  if (line.textContent !== text) line.textContent = text; // it is read out
  line.className = good ? "good" : "bad";
}

async function refresh() {
  try {
    const answer = await fetch("state.json", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    document.body.classList.remove("stale");
  } catch (error) {
    health(`the bot does not answer: ${error instanceof Error ? error.message : error}`, false);
    document.body.classList.add("stale");
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
