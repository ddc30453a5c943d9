// What a frame of the PBX says, read generously. Pure: no socket, no DOM.

/** @typedef {{number: string, name: string}} Party Who is at the other end. */

/** The keys that name a flat frame, in the order in which a client has to look for them. */
const FLAT_KEYS = [
  "sdp", "invitesdp", "candidate", "bye", "ringtones", "response", "cancel", "cancelresponse", "info", "change",
];

/**
 * A frame from its text.
 * @param {string} text
 * @returns {{kind: string, frame: Object} | null} null for what is no JSON object
 */
export function parseFrame(text) {
  let frame;
  try {
    frame = JSON.parse(text);
  } catch {
    return null;
  }
  if (frame === null || typeof frame !== "object" || Array.isArray(frame)) return null;
  return { kind: kindOf(frame), frame };
}

/** @param {Object} frame @returns {string} the flat key, else the action, else "" */
function kindOf(frame) {
  const flat = FLAT_KEYS.find((key) => key in frame);
  return flat ?? (typeof frame.action === "string" ? frame.action : "");
}

/** @param {*} value @returns {string} a text for a text or number, else "" */
export function textOf(value) {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : "";
}

/** @param {*} value @returns {boolean} for true, "true", 1 and "1" */
export function flagOf(value) {
  return value === true || value === 1 || value === "true" || value === "1";
}

/**
 * A description that came bare or as `{type, sdp}`.
 * @param {*} value
 * @returns {{type: string, sdp: string}} type is "" if it was not told
 */
export function descriptionOf(value) {
  if (typeof value === "string") return { type: "", sdp: value };
  if (value && typeof value === "object") return { type: textOf(value.type), sdp: textOf(value.sdp) };
  return { type: "", sdp: "" };
}

/** @param {string} sdp @returns {string} actpass, active, passive, or "" */
export function setupOf(sdp) {
  return /^a=setup:(\w+)/m.exec(sdp)?.[1] ?? "";
}

/**
 * What makes two descriptions of one peer the same peer connection.
 * @param {string} sdp
 * @returns {string}
 */
export function transportOf(sdp) {
  const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1] ?? "";
  const print = /^a=fingerprint:(.+?)\s*$/m.exec(sdp)?.[1] ?? "";
  return `${ufrag} ${print.toLowerCase()}`;
}

/**
 * The PBX's dialect by its `Server` header: from 69 on it makes the offer.
 * @param {string | null} header
 * @returns {"classic" | "modern" | ""} "" if it is not told
 */
export function dialectOf(header) {
  const major = Number(/Vodia-PBX\/(\d+)/i.exec(header ?? "")?.[1] ?? NaN);
  if (Number.isNaN(major)) return "";
  return major >= 69 ? "modern" : "classic";
}

/**
 * Whether a description that came while our own offer is out is an offer of the PBX's own.
 * @param {{type: string, sdp: string}} description
 * @param {"classic" | "modern" | ""} dialect
 */
function isOffer(description, dialect) {
  if (description.type) return description.type === "offer";
  return setupOf(description.sdp) === "actpass" && dialect !== "classic";
}

/**
 * Whether a description that came while no offer of ours is out is no offer: its roles are fixed already.
 * @param {{type: string, sdp: string}} description
 */
function isLateAnswer({ type, sdp }) {
  return type ? type !== "offer" : ["active", "passive"].includes(setupOf(sdp));
}

/**
 * What a description of the PBX is.
 * @param {{type: string, sdp: string}} description
 * @param {boolean} offering whether an offer of ours is out
 * @param {"classic" | "modern" | ""} dialect
 * @returns {"offer" | "answer" | "late"} late: an answer that nobody waits for
 */
export function roleOf(description, offering, dialect) {
  if (offering) return isOffer(description, dialect) ? "offer" : "answer";
  return isLateAnswer(description) ? "late" : "offer";
}

/**
 * An answer as a browser takes it: older PBXs leave `actpass` in it.
 * @param {string} sdp
 */
export function normalisedAnswer(sdp) {
  return sdp.replace(/^a=setup:actpass/gm, "a=setup:passive");
}

/**
 * The candidates that a `candidate` frame carries.
 * @param {Object} frame
 * @returns {RTCIceCandidateInit[]} empty if it says that there are no more
 */
export function candidatesOf(frame) {
  const value = frame.candidate;
  const line = typeof value === "string" ? value : textOf(value?.candidate);
  if (!line) return [];
  const media = { sdpMid: textOf(value?.sdpMid), sdpMLineIndex: Number(value?.sdpMLineIndex) || 0 };
  const pairs = Array.isArray(frame.adr) ? frame.adr.filter(Array.isArray) : [];
  if (!pairs.length) return [{ candidate: line, ...media }];
  return pairs.map(([address, port]) => ({ candidate: readdressed(line, address, port), ...media }));
}

/** Address and port are the fifth and sixth field of a candidate. */
function readdressed(line, address, port) {
  const fields = line.split(" ");
  fields[4] = textOf(address);
  fields[5] = textOf(port);
  return fields.join(" ");
}

/**
 * A party from a SIP address: `"Ann" <sip:45@localhost>`, `sip:45@localhost`, `45`.
 * @param {*} value
 * @returns {Party}
 */
export function partyOf(value) {
  const text = textOf(value).trim();
  const named = /^(?:"([^"]*)"|([^<"]*?))\s*<([^>]*)>/.exec(text);
  const address = named ? named[3] : text;
  const number = address.replace(/^(?:sips?|tel):/i, "").split(/[@;]/)[0];
  return { number, name: (named?.[1] ?? named?.[2] ?? "").trim() };
}

/** @param {Object} frame of an invite @returns {Party} */
export function callerOf(frame) {
  const from = partyOf(frame.from);
  return {
    number: textOf(frame["from-number"]) || textOf(frame["from-user"]) || from.number || "unknown",
    name: textOf(frame["from-display"]) || from.name,
  };
}

/**
 * @typedef {Object} CallEntry One call of the domain, from either form of call-state.
 * @property {string} id
 * @property {string} callid "" if not told
 * @property {string} state
 * @property {Party} from
 * @property {Party} to
 * @property {boolean} connected
 * @property {number} since epoch seconds of the answer or start; NaN if not told
 */

/** @param {Object} data @returns {CallEntry} */
export function callEntryOf(data) {
  const state = textOf(data.state) || textOf(data.callstate);
  const answered = !["", "0", "false"].includes(textOf(data.connect));
  return {
    id: textOf(data.id) || textOf(data.callid),
    callid: textOf(data.callid),
    state,
    from: entryParty(data, "from"),
    to: entryParty(data, "to"),
    connected: answered || ["connected", "holding", "onhold"].includes(state),
    since: Number(data.connect) || Number(data.start) || NaN,
  };
}

function entryParty(data, side) {
  const { number, name } = partyOf(data[side]);
  return { number: textOf(data[`${side}-number`]) || number, name: textOf(data[`${side}-name`]) || name };
}
