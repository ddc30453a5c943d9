// Put into every page before its own scripts: the microphone says beeps of a known frequency, and what the page gets
// from its peer connections is measured. The page itself knows nothing of it.
(() => {
  const BEEP_HZ = Number("__BEEP_HZ__");
  const BEEP_S = 0.2;
  const EVERY_S = 0.4;
  const TICK_MS = 40;
  const FFT = 4096;

  /** Beeps, not a steady tone, and made here: one browser process has one capture file only. */
  function beeps() {
    const context = new AudioContext();
    const tone = context.createOscillator();
    const loudness = context.createGain();
    const destination = context.createMediaStreamDestination();
    tone.frequency.value = BEEP_HZ;
    loudness.gain.value = 0;
    tone.connect(loudness).connect(destination);
    tone.start();
    let next = context.currentTime;
    const schedule = () => {
      while (next < context.currentTime + 2) {
        loudness.gain.setValueAtTime(0, next);
        loudness.gain.linearRampToValueAtTime(0.3, next + 0.02);
        loudness.gain.setValueAtTime(0.3, next + BEEP_S - 0.02);
        loudness.gain.linearRampToValueAtTime(0, next + BEEP_S);
        next += EVERY_S;
      }
    };
    schedule();
    setInterval(schedule, 500);
    return destination.stream;
  }

  if (BEEP_HZ && navigator.mediaDevices) {
    const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) => {
      const stream = await real(constraints); // refused, if the browser refuses
      stream.getTracks().forEach((track) => track.stop());
      return beeps();
    };
  }

  /** @type {{t: number, hz: number, db: number, spectrum: Float32Array, rate: number}[]} */
  const ticks = [];
  const taps = new Set();
  let context = null;

  function listen(track) {
    context ??= new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: FFT, smoothingTimeConstant: 0 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    const tap = { analyser, spectrum: new Float32Array(FFT / 2) };
    taps.add(tap);
    track.addEventListener("ended", () => taps.delete(tap));
  }

  setInterval(() => {
    if (!taps.size) return;
    const loudest = new Float32Array(FFT / 2).fill(-200);
    for (const { analyser, spectrum } of taps) {
      analyser.getFloatFrequencyData(spectrum);
      for (let i = 0; i < loudest.length; i++) loudest[i] = Math.max(loudest[i], spectrum[i]);
    }
    ticks.push({ t: performance.now(), ...peakOf(loudest), spectrum: loudest, rate: context.sampleRate });
    if (ticks.length > 500) ticks.shift();
  }, TICK_MS);

  /** The strongest frequency, between bins by a parabola through three of them. */
  function peakOf(db) {
    let i = 1;
    for (let j = 2; j < db.length - 1; j++) if (db[j] > db[i]) i = j;
    const [a, b, c] = [db[i - 1], db[i], db[i + 1]];
    const shift = a - 2 * b + c === 0 ? 0 : (a - c) / (2 * (a - 2 * b + c));
    return { hz: ((i + shift) * context.sampleRate) / FFT, db: b };
  }

  const Native = window.RTCPeerConnection;
  let made = 0;
  let open = 0;
  window.RTCPeerConnection = class extends Native {
    constructor(...given) {
      super(...given);
      made += 1;
      open += 1;
      this.addEventListener("track", (event) => listen(event.track));
    }

    close() {
      if (this.signalingState !== "closed") open -= 1;
      super.close();
    }
  };

  window.ears = {
    now: () => performance.now(),
    peers: () => ({ made, open }),
    /** Loudness (dB of full scale) at a frequency in each tick since a time. */
    levels: (hz, since) =>
      ticks
        .filter((tick) => tick.t >= since)
        .map(({ spectrum, rate }) => {
          const bin = Math.round((hz * FFT) / rate);
          return Math.max(spectrum[bin - 1], spectrum[bin], spectrum[bin + 1]);
        }),
    /** The strongest frequency in each tick that has any sound. */
    peaks: (since) => ticks.filter((tick) => tick.t >= since && tick.db > -45).map(({ hz }) => Math.round(hz * 10) / 10),
  };
})();
