// The lists of people, of other numbers, and of the domain's calls.

import { isPerson } from "./directory.js";
import { byId, h, icon, setText } from "./dom.js";
import { durationOf } from "./messages.js";

const PRESENCE = { free: "Free", busy: "In a call", ringing: "Ringing", calling: "Calling", dnd: "Do not disturb", away: "Not here" };
/** With more people than this the list can be searched. */
const FILTER_FROM = 12;
const STATES = { connected: "talking", holding: "on hold", onhold: "on hold", alerting: "ringing", ringing: "ringing", ringback: "ringing" };

/** Who is on which extension; a touch on a person picks the number. */
export class People {
  /**
   * @param {import("./directory.js").Directory} directory
   * @param {string} me own extension
   * @param {(number: string, name: string) => void} pick
   */
  constructor(directory, me, pick) {
    this.#directory = directory;
    this.#me = me;
    this.#pick = pick;
    this.#filter.oninput = () => this.update();
    directory.on("change", () => this.update());
    this.update();
  }

  #directory;
  #me;
  #pick;
  #filter = byId("people-filter");
  #rows = new Map();

  /** Show what is known now. */
  update() {
    const { accounts } = this.#directory;
    const people = accounts.filter(isPerson);
    const numbers = accounts.filter((account) => !isPerson(account));
    this.#filter.hidden = people.length <= FILTER_FROM;
    const wanted = this.#filter.hidden ? "" : this.#filter.value.trim().toLowerCase();
    this.#show(byId("people"), people.filter(({ account, name }) => `${account} ${name}`.toLowerCase().includes(wanted)));
    this.#show(byId("numbers"), numbers);
    byId("people-empty").hidden = accounts.length > 0;
    byId("numbers-card").hidden = numbers.length === 0;
    this.tick();
  }

  /** Rows that are there stay where they are, so that the focus stays, too. */
  #show(list, accounts) {
    const rows = accounts.map((account) => this.#row(account));
    const same = rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
    if (!same) list.replaceChildren(...rows);
  }

  #row(account) {
    let row = this.#rows.get(account.account);
    if (!row) {
      row = this.#newRow(account.account);
      this.#rows.set(account.account, row);
    }
    const mine = account.account === this.#me;
    const presence = this.#directory.presenceOf(account);
    const part = (name) => row.querySelector(`.${name}`);
    row.dataset.presence = presence;
    setText(part("name"), account.name || account.account);
    setText(part("number"), [account.account, ""].includes(account.name) ? "" : account.account);
    setText(part("presence"), mine ? `You · ${PRESENCE[presence]}` : (PRESENCE[presence] ?? groupName(account.type)));
    return row;
  }

  #newRow(number) {
    const pick = () => this.#pick(number, this.#directory.nameOf(number));
    const button = h(
      "button",
      { type: "button", onclick: pick, disabled: number === this.#me, "data-account": number },
      h("span", { class: "dot", "aria-hidden": "true" }),
      h("span", { class: "person" }, h("span", { class: "name" }), " ", h("span", { class: "number" })),
      h("span", { class: "presence" }),
      icon("phone"),
    );
    return h("li", {}, button);
  }

  /** Once a second: the calls' durations. */
  tick() {
    const { calls } = this.#directory;
    byId("domain-empty").hidden = calls.length > 0;
    byId("domain-calls").replaceChildren(...calls.map((call) => h("li", {}, this.#callText(call))));
  }

  #callText(call) {
    const name = ({ number, name: told }) => told || this.#directory.nameOf(number) || number || "unknown";
    const since = call.connected && call.since > 0 ? ` · ${durationOf(Date.now() / 1000 - call.since)}` : "";
    const state = STATES[call.state] ?? (call.connected ? "talking" : call.state);
    return `${name(call.from)} → ${name(call.to)} · ${state}${since}`;
  }
}

/** What a number is that is nobody's extension. @param {string} type as the PBX names it */
function groupName(type) {
  const names = { hunts: "Group", acds: "Queue", attendants: "Service", conferences: "Conference", services: "Service" };
  return names[type] ?? "Service";
}
