// The softphone: joins the PBX, the calls and the page.

import { CallCard } from "./call-card.js";
import { Dialer } from "./dialer.js";
import { Directory } from "./directory.js";
import { byId, isWriting, setIcon, setText } from "./dom.js";
import { Microphone } from "./microphone.js";
import { Pbx } from "./pbx.js";
import { People } from "./people.js";
import { Phone } from "./phone.js";
import { SignIn, wishes } from "./signin.js";
import { Sounds } from "./sounds.js";

/** An ended call stays in view this long; one that failed longer. */
const LINGER_MS = 5_000;
const LINGER_FAILED_MS = 15_000;
const LOST = "The connection to the PBX was lost. It is tried again and again; calls go on while their audio does.";
const SILENT = "softphone.silent";

/** Everything between sign-in and sign-out. */
class App {
  #sounds = new Sounds();
  #microphone = new Microphone();
  #signIn = new SignIn((account) => this.#enter(account));
  #dialer = new Dialer(this.#sounds, (number) => this.#dialOrAnswer(number));
  #directory = null;
  #people = null;
  #pbx = null;
  #phone = null;
  /** @type {Map<import("./call.js").Call, CallCard>} */
  #cards = new Map();

  start() {
    setInterval(() => this.#tick(), 1000);
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("pointerdown", () => this.#sounds.wake());
    window.addEventListener("pagehide", () => this.#phone?.hangUpAll());
    window.addEventListener("online", () => this.#pbx?.retryNow());
    byId("signout").onclick = () => this.#leave();
    byId("retry").onclick = () => this.#pbx?.retryNow();
    byId("silence").onclick = () => this.#silence(byId("silence").getAttribute("aria-pressed") !== "true");
    this.#silence(localStorage.getItem(SILENT) === "true");
    this.#signIn.show();
  }

  // --- signing in and out ---

  async #enter(account) {
    this.#sounds.wake();
    const pbx = new Pbx(account);
    this.#directory = new Directory();
    const phone = new Phone(pbx, this.#microphone, this.#sounds);
    pbx.on("frame", ({ kind, frame }) => this.#directory.take(kind, frame));
    pbx.on("status", (status) => pbx === this.#pbx && this.#status(status));
    phone.on("call", (call) => this.#arrived(call));
    phone.on("change", () => this.#update());
    phone.on("ended", (call) => this.#over(call));
    this.#pbx = pbx;
    this.#phone = phone;
    this.#showPhone(account.user);
    try {
      await pbx.open();
    } catch (error) {
      this.#pbx = this.#phone = null;
      pbx.close();
      throw error;
    }
    this.#signIn.hide();
    byId("phone").hidden = false;
    this.#dialer.focus();
  }

  #showPhone(user) {
    this.#people = new People(this.#directory, user, (number, name) => this.#picked(number, name));
    this.#directory.on("change", () => setText(byId("me-name"), nameOr(this.#directory.nameOf(user), user)));
    setText(byId("me-number"), user);
    this.#directory.clear();
    this.#dialer.number = wishes().dial;
    this.#dialer.update(false, false);
  }

  #leave(why = "") {
    this.#phone?.hangUpAll();
    const pbx = this.#pbx;
    this.#pbx = this.#phone = null;
    pbx?.close();
    for (const call of [...this.#cards.keys()]) this.#remove(call);
    document.title = "Softphone";
    this.#signIn.show(why);
  }

  #status({ state, registered, detail }) {
    if (state === "refused") return this.#leave("You were signed out: the PBX no longer takes this password.");
    const text = { connecting: "Connecting…", up: registered ? "Ready for calls" : "Registering…", lost: "Not connected" };
    setText(byId("connection"), text[state] ?? "");
    byId("connection").dataset.state = state === "up" && !registered ? "connecting" : state;
    if (state === "connecting") return undefined; // what was said before stays until it is known how it went
    byId("lost").hidden = !detail;
    byId("retry").hidden = state !== "lost";
    setText(byId("lost-text"), state === "lost" ? LOST : `Careful: ${detail}.`);
    return undefined;
  }

  // --- calls ---

  #dialOrAnswer(number) {
    const ringing = this.#phone?.ringing;
    if (number) this.#dial(number);
    else if (ringing) this.#phone.answer(ringing);
    else byId("number").focus();
  }

  #dial(number, name = "") {
    const call = this.#phone.dial(number, name || this.#directory.nameOf(number));
    this.#dialer.number = "";
    this.#cards.get(call)?.element.focus();
  }

  #picked(number, name) {
    const choosing = [...this.#cards.values()].find((card) => card.choosing);
    if (choosing) choosing.choose(number);
    else this.#dial(number, name);
  }

  #arrived(call) {
    const card = new CallCard(call, {
      answer: () => this.#phone.answer(call),
      hold: () => this.#phone.toggleHold(call),
      join: (other) => call.join(other),
      open: () => this.#closePanels(), // or a person of the list could be meant for either call
      again: () => (this.#remove(call), this.#dial(call.party.number, call.party.name)),
      close: () => this.#remove(call),
    });
    this.#cards.set(call, card);
    byId("calls").prepend(card.element);
    if (call.direction === "in") setTimeout(() => this.#rings(call, card));
  }

  #rings(call, card) {
    if (call.state !== "ringing") return;
    const { name, number } = call.party;
    setText(byId("announce-now"), `Incoming call from ${name || number}. Enter answers, Escape rejects.`);
    // Not while the person talks or writes: the key that is pressed next is meant for something else.
    const writing = isWriting(document.activeElement) && document.activeElement.value;
    if (!this.#phone.active && !writing) card.focus("answer");
  }

  #over(call) {
    const card = this.#cards.get(call);
    setTimeout(() => this.#remove(call), call.failed ? LINGER_FAILED_MS : LINGER_MS);
    if (card?.element.contains(document.activeElement) || document.activeElement === document.body) this.#dialer.focus();
  }

  /** Tell a screen reader where a call stands now; what rings is told by itself. */
  #say(card) {
    const { call, stateText } = card;
    if (this.#said.get(call) === stateText || call.state === "ringing") return;
    this.#said.set(call, stateText);
    setText(byId("announce"), `Call with ${call.party.name || call.party.number}: ${stateText}`);
  }

  #said = new WeakMap();

  #remove(call) {
    const card = this.#cards.get(call);
    if (!card) return;
    const focused = card.element.contains(document.activeElement);
    this.#cards.delete(call);
    card.element.remove();
    if (focused) this.#dialer.focus();
  }

  #update() {
    const calls = this.#phone?.calls ?? [];
    for (const card of this.#cards.values()) {
      card.update(calls);
      this.#say(card);
    }
    this.#dialer.update(calls.some((call) => call.active || call.state === "ringing"), calls.length > 0);
    const ringing = this.#phone?.ringing;
    const active = this.#phone?.active;
    const of = ringing ?? active;
    document.title = of ? `${ringing ? "☎" : "●"} ${of.party.name || of.party.number} – Softphone` : "Softphone";
  }

  #tick() {
    for (const card of this.#cards.values()) card.tick();
    this.#people?.tick();
  }

  // --- keys and sound ---

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.#phone || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    this.#sounds.wake();
    if (event.key === "Escape") this.#escape(event);
    else if (isWriting(event.target)) return;
    else if (event.key === "Enter") this.#enterKey(event);
    else if (/^[\d*#+]$/.test(event.key)) this.#digit(event);
  }

  #escape(event) {
    if (this.#closePanels()) event.preventDefault();
    else this.#phone.ringing?.reject();
  }

  /** @returns {boolean} whether anything was open */
  #closePanels() {
    return [...this.#cards.values()].map((card) => card.closePanels()).includes(true);
  }

  #enterKey(event) {
    if (event.target.closest?.("button, a, summary")) return;
    const { ringing } = this.#phone;
    if (ringing) this.#phone.answer(ringing);
  }

  #digit(event) {
    event.preventDefault(); // or the field that gets the focus would get the key again
    const { key } = event;
    const { active } = this.#phone;
    if (!active) {
      this.#dialer.press(key);
      this.#dialer.focus();
    } else if (key !== "+") {
      active.press(key);
      this.#cards.get(active).showKeys();
    }
  }

  #silence(silent) {
    this.#sounds.silent = silent;
    localStorage.setItem(SILENT, String(silent));
    const button = byId("silence");
    button.setAttribute("aria-pressed", String(silent));
    setIcon(button, silent ? "belloff" : "bell");
  }
}

/** Where a name says nothing but the number, the number is not said twice. */
function nameOr(name, user) {
  return name && name !== user ? name : "Extension";
}

new App().start();
