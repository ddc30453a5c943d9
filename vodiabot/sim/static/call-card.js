// What is seen of one call, and its buttons.

import { h, icon, keypad, setIcon, setText } from "./dom.js";
import { durationOf } from "./messages.js";

const STATES = {
  starting: "Waiting for the microphone…",
  calling: "Calling…",
  early: "Ringing…",
  ringing: "Incoming call",
  answering: "Answering…",
};

/** A card for a call, kept up to date by `update`. */
export class CallCard {
  /**
   * @param {import("./call.js").Call} call
   * @param {Object} on what the buttons do
   * @param {() => void} on.answer
   * @param {() => void} on.hold
   * @param {() => void} on.again dial the same number once more
   * @param {() => void} on.close put the card of an ended call away
   * @param {(other: import("./call.js").Call) => void} on.join
   * @param {() => void} on.open one of the panels is about to open
   */
  constructor(call, on) {
    this.call = call;
    this.#on = on;
    this.element = this.#build();
    this.update([]);
  }

  #on;
  #name = h("strong", { class: "name" });
  #number = h("span", { class: "number" });
  #state = h("p", { class: "state" });
  #time = h("span", { class: "time", role: "timer", "aria-live": "off" });
  #note = h("p", { class: "note", role: "status" });
  #joins = h("div", { class: "joins" });
  #keys = h("output", { class: "keys", "aria-label": "Keys sent", "data-hint": "Keys go to the call as you press them" });
  #target = h("input", {
    type: "tel", inputMode: "tel", placeholder: "Transfer to", "aria-label": "Transfer to number",
    autocomplete: "off", enterKeyHint: "go",
  });
  #padPanel;
  #transferPanel;
  #buttons = {};

  #build() {
    const { call } = this;
    this.#padPanel = h("div", { class: "panel", hidden: true }, this.#keys, keypad((key) => call.press(key), "Keypad of this call"));
    this.#transferPanel = this.#buildTransfer();
    return h(
      "article",
      { class: "card call", tabIndex: -1 },
      h(
        "div",
        { class: "head" },
        h("div", { class: "party" }, this.#name, this.#number, this.#state),
        this.#time,
      ),
      this.#note,
      this.#buildActions(),
      this.#padPanel,
      this.#transferPanel,
    );
  }

  #buildActions() {
    const { call } = this;
    const button = (key, image, label, look, act) => {
      this.#buttons[key] = h("button", { type: "button", class: `act ${look}`, onclick: act }, icon(image), h("span", {}, label));
      return this.#buttons[key];
    };
    return h(
      "div",
      { class: "actions" },
      button("answer", "phone", "Answer", "go", () => this.#on.answer()),
      button("reject", "hangup", "Reject", "stop", () => call.reject()),
      button("mute", "mic", "Mute", "", () => call.mute(!call.muted)),
      button("hold", "pause", "Hold", "hold", () => this.#on.hold()),
      button("keypad", "keypad", "Keypad", "", () => this.#toggle(this.#padPanel)),
      button("transfer", "transfer", "Transfer", "", () => this.#toggle(this.#transferPanel)),
      button("hangup", "hangup", "Hang up", "stop", () => call.hangUp()),
      button("again", "phone", "Call again", "", () => this.#on.again()),
      button("close", "close", "Close", "", () => this.#on.close()),
    );
  }

  #buildTransfer() {
    const form = h(
      "form",
      { class: "field", onsubmit: (event) => this.#transfer(event) },
      this.#target,
      h("button", { type: "submit", class: "primary" }, "Transfer"),
    );
    return h("div", { class: "panel", hidden: true }, form, h("p", { class: "quiet" }, "A number, or touch a person in the list."), this.#joins);
  }

  #transfer(event) {
    event.preventDefault();
    const to = this.#target.value.trim();
    if (!to) return this.#target.focus();
    this.closePanels();
    this.call.transfer(to);
  }

  // --- panels ---

  #toggle(panel) {
    const open = panel.hidden;
    if (open) this.#on.open();
    this.closePanels();
    panel.hidden = !open;
    this.update(this.#others);
    if (open && panel === this.#transferPanel) this.#target.focus();
  }

  /** Close what is open. @returns {boolean} whether anything was */
  closePanels() {
    const open = [[this.#padPanel, "keypad"], [this.#transferPanel, "transfer"]].find(([panel]) => !panel.hidden);
    if (!open) return false;
    const [panel, opener] = open;
    if (panel.contains(document.activeElement)) this.#buttons[opener].focus();
    panel.hidden = true;
    this.update(this.#others);
    return true;
  }

  /** Whether the person is choosing whom to transfer to. */
  get choosing() {
    return !this.#transferPanel.hidden;
  }

  /** @param {string} number chosen from the list of people */
  choose(number) {
    this.#target.value = number;
    this.#transferPanel.querySelector("button").focus();
  }

  // --- what is shown ---

  #others = [];

  /** @param {import("./call.js").Call[]} calls all of the phone, for joining with another one */
  update(calls) {
    const { call } = this;
    this.#others = calls;
    setText(this.#name, call.party.name || call.party.number);
    setText(this.#number, call.party.name ? call.party.number : "");
    setText(this.#state, this.stateText);
    setText(this.#note, call.over ? "" : call.note);
    this.#note.classList.toggle("bad", call.failed);
    setText(this.#keys, call.keys);
    this.element.dataset.state = call.held && !call.over ? "held" : call.state;
    this.element.setAttribute("aria-label", `Call with ${call.party.name || call.party.number}`);
    this.element.classList.toggle("bad", call.over && call.failed);
    if (call.over) this.#transferPanel.hidden = true;
    if (call.over || call.held) this.#padPanel.hidden = true; // nobody hears a key
    this.#updateButtons();
    this.#updateJoins();
    this.tick();
  }

  /** Where the call stands, in words. */
  get stateText() {
    const { call } = this;
    if (call.over) return call.note;
    if (call.transferringTo) return `Transferring to ${call.transferringTo}…`;
    if (call.state !== "talking") return STATES[call.state];
    if (call.held) return "On hold";
    return call.audioUp ? (call.muted ? "Talking, microphone off" : "Talking") : "Connecting the audio…";
  }

  #updateButtons() {
    const { call } = this;
    const talking = call.state === "talking";
    const incoming = call.state === "ringing";
    const open = !call.over && !incoming;
    const shown = {
      answer: incoming, reject: incoming, mute: open && !call.held, hold: talking, keypad: open && !call.held,
      transfer: talking, hangup: open, again: call.over, close: call.over,
    };
    for (const [key, visible] of Object.entries(shown)) this.#buttons[key].hidden = !visible;
    this.#press("mute", call.muted, call.muted ? "micoff" : "mic", call.muted ? "Unmute" : "Mute");
    this.#press("hold", call.held, call.held ? "play" : "pause", call.held ? "Resume" : "Hold");
    this.#buttons.hold.disabled = this.#buttons.transfer.disabled = Boolean(call.transferringTo);
    this.#expand("keypad", this.#padPanel);
    this.#expand("transfer", this.#transferPanel);
  }

  /** Its label tells what it will do, so it is no pressed state to a screen reader; to the eye it is. */
  #press(key, on, image, label) {
    const button = this.#buttons[key];
    button.classList.toggle("on", on);
    setIcon(button, image);
    setText(button.querySelector("span"), label);
  }

  #expand(key, panel) {
    this.#buttons[key].setAttribute("aria-expanded", String(!panel.hidden));
    this.#buttons[key].classList.toggle("on", !panel.hidden);
  }

  #updateJoins() {
    const others = this.#others.filter((other) => other !== this.call && other.state === "talking");
    this.#joins.replaceChildren(
      ...others.map((other) =>
        h(
          "button",
          { type: "button", class: "join", onclick: () => (this.closePanels(), this.#on.join(other)) },
          `Connect with ${other.party.name || other.party.number}, and leave`,
        ),
      ),
    );
  }

  /** Once a second. */
  tick() {
    const { answeredAt, endedAt } = this.call;
    const until = Number.isNaN(endedAt) ? Date.now() : endedAt;
    setText(this.#time, Number.isNaN(answeredAt) ? "" : durationOf((until - answeredAt) / 1000));
  }

  /** @param {"answer" | "hangup" | "close"} key */
  focus(key) {
    this.#buttons[key].focus();
  }

  /** Show the keypad, because keys are being typed. */
  showKeys() {
    if (this.#padPanel.hidden) this.#toggle(this.#padPanel);
  }
}
