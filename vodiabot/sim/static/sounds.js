// Sounds that the page makes itself: the ring of an incoming call and the tones of keys.

const KEY_HZ = {
  1: [697, 1209], 2: [697, 1336], 3: [697, 1477], A: [697, 1633],
  4: [770, 1209], 5: [770, 1336], 6: [770, 1477], B: [770, 1633],
  7: [852, 1209], 8: [852, 1336], 9: [852, 1477], C: [852, 1633],
  "*": [941, 1209], 0: [941, 1336], "#": [941, 1477], D: [941, 1633],
};
const RING_EVERY_MS = 2400;
/** Seconds into a ring, and hertz: two soft notes, twice. */
const RING_NOTES = [[0, 659.3], [0.22, 784], [0.55, 659.3], [0.77, 784]];
const NOTE_S = 0.42;

/** One AudioContext for all; browsers let it sound after the person has touched the page. */
export class Sounds {
  #context = null;
  #ringing = null;
  #silent = false;

  /** To be called from a click or key: from then on sounds may be heard. */
  wake() {
    this.#context ??= new AudioContext();
    if (this.#context.state === "suspended") this.#context.resume().catch(() => {});
  }

  /** @param {boolean} silent whether calls ring without a sound */
  set silent(silent) {
    this.#silent = silent;
  }

  /** @param {boolean} on ring, or stop; idempotent */
  ring(on) {
    if (on === (this.#ringing !== null)) return;
    if (on) {
      this.#ringOnce();
      this.#ringing = setInterval(() => this.#ringOnce(), RING_EVERY_MS);
    } else {
      clearInterval(this.#ringing);
      this.#ringing = null;
      navigator.vibrate?.(0);
    }
  }

  #ringOnce() {
    if (this.#silent) return;
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([250, 150, 250]);
    const context = this.#context;
    if (context?.state !== "running") return;
    for (const [after, hz] of RING_NOTES) {
      const start = context.currentTime + after;
      const loudness = context.createGain();
      loudness.gain.setValueAtTime(0, start);
      loudness.gain.linearRampToValueAtTime(0.16, start + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.001, start + NOTE_S);
      loudness.connect(context.destination);
      this.#tone(hz, start, NOTE_S).connect(loudness);
    }
  }

  /**
   * The two tones of a key, softly to the ear and, if given, into a track that is being sent.
   * @param {string} key
   * @param {number} seconds
   * @param {AudioNode | null} [into]
   */
  key(key, seconds, into = null) {
    this.wake();
    const context = this.#context;
    const start = context.currentTime + 0.01;
    const ear = context.createGain();
    ear.gain.value = 0.04;
    ear.connect(context.destination);
    for (const hz of KEY_HZ[key] ?? []) {
      const tone = this.#tone(hz, start, seconds);
      tone.connect(ear);
      if (into) tone.connect(into);
    }
  }

  /**
   * A track to send key tones in, for a call that knows no telephone-event.
   * @returns {{track: MediaStreamTrack, input: AudioNode}}
   */
  line() {
    this.wake();
    const destination = this.#context.createMediaStreamDestination();
    const input = this.#context.createGain();
    input.gain.value = 0.25;
    input.connect(destination);
    return { track: destination.stream.getAudioTracks()[0], input };
  }

  #tone(hz, start, seconds) {
    const tone = this.#context.createOscillator();
    tone.frequency.value = hz;
    tone.start(start);
    tone.stop(start + seconds);
    return tone;
  }
}
