// All calls of this phone: which frame belongs to which, and that at most one of them is talked to at a time.

import { Call } from "./call.js";
import { Emitter } from "./emitter.js";
import { callEntryOf, callerOf } from "./frames.js";

/** A further caller hears busy. */
const MOST_CALLS = 6;
/** Candidates of calls that are not known yet. */
const MOST_EARLY = 20;
const OF_A_CALL = new Set([
  "invitesdp", "sdp", "candidate", "bye", "cancel", "callerid", "rec-start", "rec-stop",
]);

/** Events: `call` (Call): a new one; `change` (): any call has changed; `ended` (Call). */
export class Phone extends Emitter {
  /**
   * @param {import("./pbx.js").Pbx} pbx
   * @param {import("./microphone.js").Microphone} microphone
   * @param {import("./sounds.js").Sounds} sounds
   */
  constructor(pbx, microphone, sounds) {
    super();
    this.#shared = { pbx, microphone, sounds };
    this.#sounds = sounds;
    pbx.on("frame", ({ kind, frame }) => this.#take(kind, frame));
  }

  #shared;
  #sounds;
  /** @type {Call[]} oldest first, without the ended ones */
  #calls = [];

  /** @returns {Call[]} */
  get calls() {
    return [...this.#calls];
  }

  /** The call that is being talked to, placed or answered. */
  get active() {
    return this.#calls.find((call) => call.active) ?? null;
  }

  /** The call that has rung longest. */
  get ringing() {
    return this.#calls.find((call) => call.state === "ringing") ?? null;
  }

  /**
   * Place a call; the one that is being talked to is held.
   * @param {string} number
   * @param {string} [name]
   */
  dial(number, name = "") {
    this.#holdOthers(null);
    const call = this.#add("out", crypto.randomUUID?.() ?? randomId(), { number, name });
    call.dial();
    return call;
  }

  /** @param {Call} call */
  answer(call) {
    this.#holdOthers(call);
    call.answer();
  }

  /** Hold the call, or take it back and hold the others. @param {Call} call */
  toggleHold(call) {
    if (call.held) this.#holdOthers(call);
    call.hold(!call.held);
  }

  /** Sign-out, or the page is left: every call ends with a word to the PBX. */
  hangUpAll() {
    for (const call of this.calls) call.hangUp();
  }

  #holdOthers(but) {
    for (const call of this.calls) {
      if (call === but || !call.active) continue;
      if (call.state === "talking") call.hold(true);
      else if (call.direction === "out") call.hangUp();
    }
  }

  // --- frames ---

  #take(kind, frame) {
    if (kind === "call-state" || kind === "domain-state") this.#takeStates(frame.calls);
    if (!OF_A_CALL.has(kind)) return;
    const call = this.#callOf(kind, frame);
    if (call) call.take(kind, frame);
    else if (kind === "invitesdp") this.#invited(frame);
    else this.#strayed(kind, frame);
  }

  #callOf(kind, frame) {
    const { callid } = frame;
    if (callid === undefined || callid === "") return kind === "invitesdp" ? null : (this.#calls.at(-1) ?? null);
    const known = this.#calls.find((call) => call.callid === callid);
    if (known || kind !== "sdp") return known ?? null;
    const adopting = this.#calls.find((call) => call.unanswered);
    if (adopting) adopting.callid = callid; // the PBX may name a call anew in its first answer
    return adopting ?? null;
  }

  #invited(frame) {
    const { pbx } = this.#shared;
    if (this.#calls.length >= MOST_CALLS) {
      pbx.send("sip-busy", { callid: frame.callid, cseq: frame.cseq, code: 486 });
      return;
    }
    const call = this.#add("in", frame.callid, callerOf(frame));
    call.take("invitesdp", frame);
    for (const early of this.#early.filter((kept) => kept.callid === frame.callid)) call.take("candidate", early);
    this.#early = this.#early.filter((kept) => kept.callid !== frame.callid);
  }

  /** Candidates whose call is not known (yet). */
  #early = [];

  /** For a call that is gone: a bye still wants its answer. A candidate may have overtaken its invite. */
  #strayed(kind, frame) {
    const { pbx } = this.#shared;
    if (kind === "bye") pbx.send("bye-response", { callid: frame.callid, cseq: frame.cseq });
    else if (kind === "cancel") pbx.send("cancel-response", { callid: frame.callid });
    else if (kind === "candidate") this.#early = [...this.#early, frame].slice(-MOST_EARLY);
    else if (kind === "sdp") this.#lateAnswer(frame);
  }

  /** An answer to a call that was given up: the PBX may not know yet. */
  #lateAnswer(frame) {
    if (Number(frame.code) >= 400) return;
    this.#shared.pbx.send("sip-bye", { callid: frame.callid, caller: "true" });
  }

  /** Newer PBXs tell in the list of calls alone that a call was answered. */
  #takeStates(calls) {
    const entries = [calls ?? []].flat().filter((entry) => entry && typeof entry === "object").map(callEntryOf);
    for (const call of this.#calls) {
      if (call.direction === "out" && this.#entryOf(call, entries)?.connected) call.takeConnected();
    }
  }

  #entryOf(call, entries) {
    const named = entries.find((entry) => entry.callid === call.callid || entry.id === call.callid);
    if (named) return named;
    const { user } = this.#shared.pbx;
    const alike = entries.filter((entry) => entry.from.number === user && entry.to.number === call.party.number);
    return alike.length === 1 ? alike[0] : null;
  }

  // --- the list ---

  #add(direction, callid, party) {
    const call = new Call({ ...this.#shared, direction, callid, party });
    this.#calls.push(call);
    call.on("change", () => this.#changed());
    call.on("ended", () => this.#ended(call));
    this.emit("call", call);
    return call;
  }

  #ended(call) {
    this.#calls = this.#calls.filter((other) => other !== call);
    this.emit("ended", call);
    this.#changed();
  }

  #changed() {
    this.#sounds.ring(this.ringing !== null);
    this.emit("change");
  }
}

/** `crypto.randomUUID` exists on https and localhost only. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
