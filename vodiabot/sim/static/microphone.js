// One microphone for all calls: opened with the first, closed with the last. Each call gets a track of its own.

import { Emitter } from "./emitter.js";
import { microphonePossible, microphoneError, NO_MICROPHONE_HERE } from "./messages.js";

/** There is no microphone; the message is for the person. */
export class NoMicrophone extends Error {}

/** Events: `asking` (boolean): the browser may be asking the person for leave. */
export class Microphone extends Emitter {
  #opening = null;
  #tracks = new Set();

  /**
   * @returns {Promise<MediaStreamTrack>} to be given back with `release`
   * @throws {NoMicrophone}
   */
  async take() {
    this.#opening ??= this.#open();
    const stream = await this.#opening;
    const track = stream.getAudioTracks()[0].clone();
    this.#tracks.add(track);
    return track;
  }

  /**
   * Idempotent.
   * @param {MediaStreamTrack | null} track
   */
  release(track) {
    if (!track || !this.#tracks.delete(track)) return;
    track.stop();
    if (!this.#tracks.size) this.#close();
  }

  async #open() {
    if (!microphonePossible()) {
      this.#opening = null;
      throw new NoMicrophone(NO_MICROPHONE_HERE);
    }
    this.emit("asking", true);
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      this.#opening = null;
      throw new NoMicrophone(microphoneError(error), { cause: error });
    } finally {
      this.emit("asking", false);
    }
  }

  #close() {
    const opening = this.#opening;
    this.#opening = null;
    opening?.then((stream) => stream.getTracks().forEach((track) => track.stop()));
  }
}
