// Who is on which extension, and which calls are going on in the domain.

import { Emitter } from "./emitter.js";
import { callEntryOf, flagOf, textOf } from "./frames.js";

/**
 * @typedef {Object} Account
 * @property {string} account
 * @property {string} name
 * @property {string} type
 * @property {boolean} registered
 * @property {boolean} dnd
 * @property {boolean} busy in a call, as the account's own state says
 */

/** @param {Account} account @returns {boolean} whether it is somebody's extension, not a group or a service */
export function isPerson({ type }) {
  return !type || type === "extensions";
}

/** Events: `change` (). */
export class Directory extends Emitter {
  /** @type {Map<string, Account>} */
  #accounts = new Map();
  /** @type {Map<string, import("./frames.js").CallEntry>} */
  #calls = new Map();

  /** @returns {Account[]} by number */
  get accounts() {
    return [...this.#accounts.values()].sort((a, b) => a.account.localeCompare(b.account, undefined, { numeric: true }));
  }

  get calls() {
    return [...this.#calls.values()];
  }

  /** @param {string} number @returns {string} "" if nobody knows */
  nameOf(number) {
    return this.#accounts.get(number)?.name ?? "";
  }

  /** @param {Account} account @returns {"dnd"|"busy"|"ringing"|"calling"|"free"|"away"|"none"} none: it is nobody's extension */
  presenceOf(account) {
    if (!isPerson(account)) return "none";
    const own = this.calls.filter(({ from, to }) => [from.number, to.number].includes(account.account));
    if (own.some((call) => call.connected)) return "busy";
    if (own.length) return own.some(({ from }) => from.number === account.account) ? "calling" : "ringing";
    if (account.busy) return "busy";
    if (account.dnd) return "dnd";
    return account.registered ? "free" : "away";
  }

  /** @param {string} kind @param {Object} frame */
  take(kind, frame) {
    if (kind === "domain-state") this.#takeDomain(frame);
    else if (kind === "user-state") this.#takeAccount(frame);
    else if (kind === "call-state") this.#takeCalls(frame.calls);
    else return;
    this.emit("change");
  }

  /** Nothing is known any more. */
  clear() {
    this.#accounts.clear();
    this.#calls.clear();
    this.emit("change");
  }

  #takeDomain(frame) {
    this.#accounts.clear();
    for (const data of listOf(frame.accounts)) this.#takeAccount(data);
    if (Array.isArray(frame.calls)) this.#takeCalls(frame.calls);
  }

  /** Keys that are absent are unchanged; `calls` that are absent mean none. */
  #takeAccount(data) {
    const account = textOf(data.account);
    if (!account) return;
    const before = this.#accounts.get(account) ?? { name: "", type: "", registered: false, dnd: false };
    this.#accounts.set(account, {
      account,
      name: textOf(data.name) || textOf(data.display) || before.name,
      type: textOf(data.type) || before.type,
      registered: "registered" in data ? flagOf(data.registered) : before.registered,
      dnd: "dnd" in data ? flagOf(data.dnd) : before.dnd,
      busy: hasCalls(data.calls),
    });
  }

  /** A list is the whole of it, one object a change. */
  #takeCalls(calls) {
    if (Array.isArray(calls)) this.#calls.clear();
    for (const entry of listOf(calls).map(callEntryOf)) {
      if (entry.id) this.#calls.set(entry.id, entry);
    }
  }
}

function listOf(value) {
  return [value ?? []].flat().filter((entry) => entry && typeof entry === "object");
}

function hasCalls(value) {
  if (Array.isArray(value)) return value.length > 0;
  return Number(value) > 0 || (value !== null && typeof value === "object" && Object.keys(value).length > 0);
}
