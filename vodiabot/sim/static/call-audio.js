// The audio of one call: the microphone's track, what is heard, and one peer connection after the other.

import { Media } from "./media.js";

/** Belongs to a call for its life; nothing sounds and no microphone is open before it is needed or after `close`. */
export class CallAudio {
  /**
   * @param {import("./microphone.js").Microphone} microphone
   * @param {import("./sounds.js").Sounds} sounds
   * @param {Object} on
   * @param {(candidate: RTCIceCandidate | null) => void} on.candidate one of ours, to be sent
   * @param {(state: RTCPeerConnectionState) => void} on.state of the present peer connection
   * @param {() => void} on.blocked the browser wants the person to touch the page before it plays anything
   */
  constructor(microphone, sounds, on) {
    this.#microphone = microphone;
    this.#sounds = sounds;
    this.#on = on;
    this.#speaker.autoplay = true;
  }

  #microphone;
  #sounds;
  #on;
  #speaker = new Audio();
  #track = null;
  #early = [];
  #closed = false;

  /** @type {Media | null} the present peer connection */
  media = null;
  /** Whether it is connected. */
  up = false;

  /** Whether there is a microphone. */
  get open() {
    return this.#track !== null;
  }

  /**
   * Open the microphone, if it isn't.
   * @throws {import("./microphone.js").NoMicrophone}
   */
  async takeMicrophone() {
    if (this.#track) return;
    const track = await this.#microphone.take();
    if (this.#closed) this.#microphone.release(track);
    else this.#track = track;
  }

  /** A new peer connection in place of the present one. @returns {Media} */
  renew() {
    this.media?.close();
    this.up = false;
    const media = new Media(this.#track, this.#sounds, {
      candidate: this.#on.candidate,
      stream: (stream) => this.#hear(stream),
      state: (state) => media === this.media && this.#changed(state),
    });
    this.media = media;
    for (const candidate of this.#early.splice(0)) media.add(candidate);
    return media;
  }

  /** @param {RTCIceCandidateInit} candidate of the PBX; kept while there is no peer connection */
  async add(candidate) {
    if (this.media) await this.media.add(candidate);
    else this.#early.push(candidate);
  }

  /** @param {{speak: boolean, hear: boolean}} may */
  apply({ speak, hear }) {
    if (this.#track) this.#track.enabled = speak;
    this.#speaker.muted = !hear;
  }

  /** Idempotent. */
  close() {
    this.#closed = true;
    this.media?.close();
    this.#microphone.release(this.#track);
    this.#track = null;
    this.#speaker.srcObject = null;
  }

  #hear(stream) {
    this.#speaker.srcObject = stream;
    this.#speaker.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#on.blocked();
    });
  }

  #changed(state) {
    this.up = state === "connected";
    this.#on.state(state);
  }
}
