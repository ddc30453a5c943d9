// One call leg of ours: what travels for it, its audio, and where it stands.

import { candidatesOf, descriptionOf, roleOf, textOf, transportOf } from "./frames.js";
import { Emitter } from "./emitter.js";
import { CallAudio } from "./call-audio.js";
import { reasonOf } from "./messages.js";
import { NoMicrophone } from "./microphone.js";

/** Nothing tells the result of a transfer; silence for this long means that it was refused. */
const TRANSFER_MS = 10_000;
/** Lost audio is set up anew once, and given up after this long. */
const MEDIA_MS = 10_000;
const GLARE_MS = 2_000;

/**
 * @typedef {"starting"|"calling"|"early"|"ringing"|"answering"|"talking"|"ended"} CallState
 * starting: waiting for the microphone; early: the other side rings; ringing: it is our turn to answer
 */

/**
 * Events: `change` () whenever something that is shown has changed; `ended` ().
 */
export class Call extends Emitter {
  /**
   * @param {Object} given
   * @param {import("./pbx.js").Pbx} given.pbx
   * @param {import("./microphone.js").Microphone} given.microphone
   * @param {import("./sounds.js").Sounds} given.sounds
   * @param {"out"|"in"} given.direction
   * @param {string} given.callid
   * @param {import("./frames.js").Party} given.party
   */
  constructor({ pbx, microphone, sounds, direction, callid, party }) {
    super();
    this.#pbx = pbx;
    this.direction = direction;
    this.callid = callid;
    this.party = party;
    this.#audio = new CallAudio(microphone, sounds, {
      candidate: (candidate) => this.#send("ice-candidate", { candidate }),
      state: (state) => this.#audioState(state),
      blocked: () => this.#tell("Touch the page to hear the call.", true),
    });
  }

  #pbx;
  #audio;
  #offer = null;
  #cseq = undefined;
  #lastRemote = "";
  #acknowledged = false;
  #renewed = false;
  #work = Promise.resolve();
  #timers = { transfer: null, media: null, glare: null };

  /** @type {CallState} */
  state = "starting";
  held = false;
  muted = false;
  /** Where the call is being transferred to, "" if it isn't. */
  transferringTo = "";
  /** What the person should know of this call: an error, or why it ended. */
  note = "";
  /** Whether `note` is bad news. */
  failed = false;
  /** What was keyed in during the call. */
  keys = "";
  answeredAt = NaN;
  endedAt = NaN;

  get over() {
    return this.state === "ended";
  }

  /** Talking and not held: the person hears it and is heard. */
  get active() {
    return !this.over && !this.held && this.state !== "ringing";
  }

  /** Whether the audio is connected. */
  get audioUp() {
    return this.#audio.up;
  }

  /** Whether an answer to our `sdp-packet` is still awaited. */
  get unanswered() {
    return this.direction === "out" && !this.#lastRemote && this.state === "calling";
  }

  // --- what the person does ---

  /** Place the call. */
  dial() {
    return this.#doing(async () => {
      await this.#takeMicrophone();
      if (this.over) return;
      const sdp = await this.#audio.renew().offer();
      if (this.over) return;
      this.#to("calling");
      if (!this.#pbx.send("sdp-packet", { to: this.party.number, callid: this.callid, sdp })) {
        this.#end("Not connected to the PBX: the call was not placed.", true);
      }
    });
  }

  /** Take an incoming call. */
  answer() {
    if (this.state !== "ringing") return this.#work;
    this.#to("answering");
    return this.#doing(async () => {
      if (!(await this.#microphoneOrRingOn())) return;
      await this.#takeOffer(this.#offer);
      if (this.over) return;
      this.#answered();
    });
  }

  /** Refuse an incoming call: for this phone only, others go on ringing. */
  reject() {
    if (this.state !== "ringing") return;
    this.#send("sip-busy", { cseq: this.#cseq, code: 486 });
    this.#end("Rejected");
  }

  /** Hang up, or give up. */
  hangUp() {
    if (this.over) return;
    if (this.state === "ringing") return this.reject();
    if (this.state !== "starting") this.#send("sip-bye", { caller: String(this.direction === "out") });
    this.#end(Number.isNaN(this.answeredAt) ? "Cancelled" : "You hung up");
  }

  /** @param {boolean} held */
  hold(held) {
    if (this.state !== "talking" || held === this.held || this.transferringTo) return;
    const sent = this.#send("wrtc-hold", { calldir: this.#calldir, holdcmd: held ? "sendonly" : "sendrecv" });
    if (!sent) return this.#tell("Not connected to the PBX: try again in a moment.", true);
    this.held = held;
    this.#applyTrack();
    this.#tell("");
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.muted = muted;
    this.#applyTrack();
    this.emit("change");
  }

  /** @param {string} key 0-9 * # */
  press(key) {
    if (this.over || !this.#audio.media) return;
    this.keys += key;
    this.#audio.media.press(key);
    this.emit("change");
  }

  /** Blind transfer. @param {string} to */
  transfer(to) {
    this.#transferring(to, "blind-transfer2", { id: this.callid, from: this.#pbx.user, to });
  }

  /** Attended transfer: join this call's party with another call's. @param {Call} other */
  join(other) {
    this.#transferring(other.party.number, "att-transfer", {
      id: this.callid,
      from: this.#pbx.user,
      id2: other.callid,
      to: other.party.number,
    });
  }

  #transferring(to, action, fields) {
    if (this.state !== "talking" || this.transferringTo) return;
    if (!this.#pbx.send(action, fields)) return this.#tell("Not connected to the PBX: try again in a moment.", true);
    this.transferringTo = to;
    this.#timers.transfer = setTimeout(() => this.#transferRefused("no answer from the PBX"), TRANSFER_MS);
    this.#tell("");
  }

  #transferRefused(why) {
    clearTimeout(this.#timers.transfer);
    const to = this.transferringTo;
    this.transferringTo = "";
    this.#tell(`The transfer to ${to} failed: ${why}.`, true);
  }

  // --- what the PBX says ---

  /** @param {string} kind @param {Object} frame */
  take(kind, frame) {
    if (kind === "invitesdp") this.#invited(frame);
    else if (kind === "sdp") this.#doing(() => this.#takeSdp(frame));
    else if (kind === "candidate") this.#doing(() => this.#takeCandidates(frame));
    else if (kind === "bye") this.#takeBye(frame);
    else if (kind === "cancel") this.#takeCancel();
    else if (kind === "callerid") this.#takeCallerId(frame);
    else if (kind === "rec-start" || kind === "rec-stop") this.#tell(kind === "rec-start" ? "Being recorded" : "");
  }

  /** The domain's list says that the call is connected. */
  takeConnected() {
    const waiting = this.direction === "out" && ["calling", "early"].includes(this.state);
    if (waiting && this.#lastRemote) this.#answered();
  }

  #invited(frame) {
    if (this.#offer !== null) return; // the same invite again
    this.#offer = descriptionOf(frame.invitesdp).sdp;
    this.#cseq = frame.cseq;
    this.#to("ringing");
    this.#send("sip-ringing", { cseq: frame.cseq });
  }

  async #takeSdp(frame) {
    if (this.over) return;
    const code = Number(frame.code) || 0;
    if (code >= 400) return this.#refused(code, textOf(frame.reason), frame);
    if (frame.cseq !== undefined) this.#cseq = frame.cseq;
    const description = descriptionOf(frame.sdp);
    if (description.sdp && description.sdp !== this.#lastRemote) await this.#takeDescription(description);
    if (this.over) return;
    if (code === 200 && this.direction === "out") this.#answered();
    else if (this.state === "calling" && code >= 180) this.#to("early");
  }

  #refused(code, reason, frame) {
    if (this.transferringTo) return this.#transferRefused(reasonOf(code, reason));
    if (this.state === "talking") return this.#tell(reasonOf(code, reason), true);
    this.#send("sip-ack", { cseq: frame.cseq });
    this.#acknowledged = true;
    this.#end(reasonOf(code, reason), true);
  }

  async #takeDescription(description) {
    const offering = Boolean(this.#audio.media?.offering);
    const role = roleOf(description, offering, this.#pbx.dialect);
    if (role === "late") return;
    if (role === "answer") {
      this.#lastRemote = description.sdp;
      await this.#audio.media.accept(description.sdp);
      return;
    }
    // If our own offer is out, it goes away with its peer connection; in a call it is made again a little later.
    await this.#takeOffer(description.sdp, offering);
    if (offering && this.state === "talking") {
      this.#timers.glare = setTimeout(() => this.#doing(() => this.#renew()), GLARE_MS);
    }
  }

  async #takeOffer(sdp, fresh = false) {
    if (!this.#audio.open) return;
    if (fresh || !this.#audio.media || transportOf(sdp) !== transportOf(this.#lastRemote)) this.#audio.renew();
    this.#lastRemote = sdp;
    const answer = await this.#audio.media.answer(sdp);
    if (!this.over) this.#send("sdp-200ok", { cseq: this.#cseq, sdp: answer });
  }

  /** In turn with the descriptions, so that each reaches the peer connection that it is meant for. */
  async #takeCandidates(frame) {
    for (const candidate of candidatesOf(frame)) await this.#audio.add(candidate);
  }

  #takeBye(frame) {
    this.#send("bye-response", { cseq: frame.cseq });
    const code = Number(frame.code) || 0;
    if (this.transferringTo) this.#end(`Transferred to ${this.transferringTo}`);
    else if (code >= 400) this.#end(reasonOf(code, textOf(frame.reason)), true);
    else this.#end(this.state === "ringing" ? "Missed call" : "They hung up");
  }

  #takeCancel() {
    this.#send("cancel-response");
    this.#end(this.state === "answering" ? "Somebody else was faster, or they gave up" : "Missed call");
  }

  #takeCallerId(frame) {
    const { number, name } = this.party;
    this.party = { number: textOf(frame.number) || number, name: textOf(frame.name) || name };
    this.emit("change");
  }

  // --- audio ---

  async #takeMicrophone() {
    await this.#audio.takeMicrophone();
    this.#applyTrack();
  }

  /** A refused microphone does not lose the call: it rings on, and the person may allow it and answer again. */
  async #microphoneOrRingOn() {
    try {
      await this.#takeMicrophone();
    } catch (error) {
      if (!(error instanceof NoMicrophone)) throw error;
      if (!this.over) {
        this.#to("ringing");
        this.#tell(error.message, true);
      }
      return false;
    }
    return !this.over;
  }

  #audioState(state) {
    if (state === "connected") {
      clearTimeout(this.#timers.media);
      this.#renewed = false;
      if (this.state === "talking") this.#tell("");
    } else if (state === "disconnected") {
      this.#tell("The audio is interrupted…", true);
    } else if (state === "failed") {
      this.#doing(() => this.#mediaLost());
    }
    this.emit("change");
  }

  async #mediaLost() {
    if (this.over) return;
    if (this.#renewed || this.state !== "talking" || this.held) return this.#giveUp();
    this.#renewed = true;
    this.#tell("The audio was lost; setting it up again…", true);
    this.#timers.media = setTimeout(() => this.#giveUp(), MEDIA_MS);
    await this.#renew();
  }

  /** A new offer on a new peer connection; the PBX answers with an `sdp` frame. */
  async #renew() {
    if (this.over || this.state !== "talking") return;
    const sdp = await this.#audio.renew().offer();
    if (!this.over) this.#send("wrtc-hold", { calldir: this.#calldir, holdcmd: "sendrecv", sdp });
  }

  #giveUp() {
    if (this.over) return;
    this.#send("sip-bye", { caller: String(this.direction === "out") });
    this.#end("The audio connection was lost.", true);
  }

  #applyTrack() {
    this.#audio.apply({ speak: !this.muted && !this.held, hear: !this.held });
  }

  // --- where it stands ---

  get #calldir() {
    return this.direction === "out" ? "caller" : "callee";
  }

  #send(action, fields = {}) {
    return this.#pbx.send(action, { callid: this.callid, ...fields });
  }

  #answered() {
    if (this.over || this.state === "talking") return;
    if (this.direction === "out" && !this.#acknowledged) this.#send("sip-ack");
    this.#acknowledged = true;
    this.answeredAt = Date.now();
    this.note = "";
    this.#to("talking");
  }

  #to(state) {
    this.state = state;
    this.emit("change");
  }

  #tell(note, failed = false) {
    this.note = note;
    this.failed = failed;
    this.emit("change");
  }

  #end(why, failed = false) {
    if (this.over) return;
    this.state = "ended";
    this.note = why;
    this.failed = failed;
    this.endedAt = Date.now();
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#audio.close();
    this.emit("change");
    this.emit("ended");
  }

  /** One after the other: descriptions must not overtake each other. A failure ends the call and is shown. */
  #doing(act) {
    this.#work = this.#work.then(act).catch((error) => this.#broken(error));
    return this.#work;
  }

  #broken(error) {
    if (this.over) return;
    console.error(error);
    if (this.state === "answering") this.#send("sip-busy", { cseq: this.#cseq, code: 488 });
    else if (this.state !== "starting") this.#send("sip-bye", { caller: String(this.direction === "out") });
    const plain = error instanceof NoMicrophone ? error.message : `The audio could not be set up (${error.message}).`;
    this.#end(plain, true);
  }
}
