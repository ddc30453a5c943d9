// What the person is told, in plain words.

const BY_CODE = {
  403: "Not allowed",
  404: "No such number",
  408: "No answer",
  415: "The PBX refused this browser's audio",
  480: "Not available",
  486: "Busy",
  487: "Cancelled",
  488: "No audio codec in common",
  500: "The PBX had an error",
  503: "Service unavailable",
  600: "Busy",
  603: "Declined",
};

/**
 * Why a call failed.
 * @param {number} code SIP status
 * @param {string} [reason] the PBX's own words
 */
export function reasonOf(code, reason = "") {
  const known = BY_CODE[code];
  if (known) return `${known} (${code})`;
  return reason ? `${reason} (${code})` : `The call failed (${code})`;
}

/** Whether this page may have a microphone at all: browsers give one on https and on this machine only. */
export function microphonePossible() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

export const NO_MICROPHONE_HERE =
  "This browser gives pages a microphone only over https, or on the machine itself (http://localhost). " +
  "Open this page by an https address to make calls.";

const BY_MEDIA_ERROR = {
  NotAllowedError: "The microphone was refused. Allow it for this page in the browser's address bar, then call again.",
  SecurityError: "The microphone was refused by the browser's settings.",
  NotFoundError: "No microphone was found. Plug one in, then call again.",
  NotReadableError: "The microphone is in use by another program, or it failed.",
};

/** @param {Error} error of getUserMedia */
export function microphoneError(error) {
  return BY_MEDIA_ERROR[error.name] ?? `The microphone could not be opened: ${error.message}`;
}

/** @param {number} seconds @returns {string} 0:07, 12:34, 1:02:03 */
export function durationOf(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
