// The peer connection of one call. Descriptions are told as soon as they are known; candidates trickle both ways.

import { normalisedAnswer } from "./frames.js";

/** How long a key sounds, and the least silence after it: longer than any receiver needs. */
const TONE_MS = 160;
const GAP_MS = 90;

/** One RTCPeerConnection with the microphone in it; a call may need several, one after the other. */
export class Media {
  /**
   * @param {MediaStreamTrack} track what we say
   * @param {import("./sounds.js").Sounds} sounds
   * @param {Object} on
   * @param {(candidate: RTCIceCandidate | null) => void} on.candidate one of ours; null: there will be no more
   * @param {(stream: MediaStream) => void} on.stream what we hear
   * @param {(state: RTCPeerConnectionState) => void} on.state
   */
  constructor(track, sounds, on) {
    this.#pc = new RTCPeerConnection({ iceServers: [] });
    this.#track = track;
    this.#sounds = sounds;
    this.#pc.onicecandidate = (event) => on.candidate(event.candidate);
    this.#pc.ontrack = (event) => on.stream(event.streams[0] ?? new MediaStream([event.track]));
    this.#pc.onconnectionstatechange = () => on.state(this.#pc.connectionState);
  }

  #pc;
  #track;
  #sender = null;
  #early = [];
  #sounds;
  #keys = Promise.resolve();

  /** Whether an offer of ours is out and not answered. */
  get offering() {
    return this.#pc.signalingState === "have-local-offer";
  }

  get connected() {
    return this.#pc.connectionState === "connected";
  }

  /** @returns {Promise<RTCSessionDescriptionInit>} our offer, without waiting for candidates */
  async offer() {
    this.#sender ??= this.#pc.addTrack(this.#track, new MediaStream([this.#track]));
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    return { type: "offer", sdp: this.#pc.localDescription.sdp };
  }

  /**
   * @param {string} offer of the PBX
   * @returns {Promise<RTCSessionDescriptionInit>} our answer
   */
  async answer(offer) {
    await this.#pc.setRemoteDescription({ type: "offer", sdp: offer });
    this.#sender ??= this.#pc.addTrack(this.#track, new MediaStream([this.#track]));
    await this.#addEarly();
    await this.#pc.setLocalDescription(await this.#pc.createAnswer());
    return { type: "answer", sdp: this.#pc.localDescription.sdp };
  }

  /** @param {string} answer of the PBX to our offer */
  async accept(answer) {
    await this.#pc.setRemoteDescription({ type: "answer", sdp: normalisedAnswer(answer) });
    await this.#addEarly();
  }

  /** @param {RTCIceCandidateInit} candidate of the PBX; kept until its description is there */
  async add(candidate) {
    if (!this.#pc.remoteDescription) this.#early.push(candidate);
    else await this.#addNow(candidate);
  }

  async #addEarly() {
    const early = this.#early.splice(0);
    for (const candidate of early) await this.#addNow(candidate);
  }

  /** One candidate that can't be used does not hinder the others. */
  async #addNow({ candidate, sdpMLineIndex }) {
    try {
      await this.#pc.addIceCandidate({ candidate, sdpMLineIndex }); // an empty sdpMid is an error in some browsers
    } catch (error) {
      console.warn("a candidate of the PBX was not usable:", error.message);
    }
  }

  /**
   * Send one key: as telephone-event if the other side knows it, else as its two tones in place of the microphone.
   * @param {string} key 0-9 * #
   */
  press(key) {
    const dtmf = this.#sender?.dtmf;
    if (dtmf?.canInsertDTMF) {
      dtmf.insertDTMF(dtmf.toneBuffer + key, TONE_MS, GAP_MS);
      this.#sounds.key(key, TONE_MS / 1000);
    } else {
      this.#keys = this.#keys.then(() => this.#pressInBand(key)).catch(reportError);
    }
  }

  async #pressInBand(key) {
    if (!this.#sender || this.#pc.signalingState === "closed") return;
    const line = this.#sounds.line();
    await this.#sender.replaceTrack(line.track);
    await pause(GAP_MS);
    this.#sounds.key(key, TONE_MS / 1000, line.input);
    await pause(TONE_MS + GAP_MS);
    if (this.#pc.signalingState !== "closed") await this.#sender.replaceTrack(this.#track);
    line.track.stop();
  }

  /** Idempotent. */
  close() {
    this.#pc.onicecandidate = this.#pc.ontrack = this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
