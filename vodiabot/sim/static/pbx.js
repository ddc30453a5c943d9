// The way to the PBX: login, socket, keepalive, registration, and all of it again when it is lost.

import { Emitter } from "./emitter.js";
import { dialectOf, parseFrame } from "./frames.js";

const KEEPALIVE_MS = 30_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** The PBX's answer to the registration, and a login, is awaited this long. */
const ANSWER_MS = 10_000;
const DEFAULT_EXPIRES_S = 60;
const USER_AGENT = "vodiabot softphone";

/** The PBX does not take this extension and password: nothing that trying again would help. */
export class WrongPassword extends Error {}

/** The PBX can't be reached, or answered strangely. */
export class PbxUnreachable extends Error {}

/**
 * One session as an extension, kept up until it is closed.
 *
 * Events: `status` ({state: "connecting"|"up"|"lost"|"refused"|"closed", registered, detail}) and `frame`
 * ({kind, frame}).
 */
export class Pbx extends Emitter {
  /**
   * @param {{user: string, password: string, domain: string, origin?: string}} account
   */
  constructor({ user, password, domain, origin = location.origin }) {
    super();
    this.user = user;
    this.domain = domain;
    /** @type {"classic" | "modern" | ""} by the PBX's version, if it told it */
    this.dialect = "";
    this.registered = false;
    this.#password = password;
    this.#origin = origin;
  }

  #password;
  #origin;
  #socket = null;
  #closed = false;
  #connecting = false;
  /** Whether anything has come since the registration was sent. */
  #heard = false;
  #tries = 0;
  #timers = new Set();

  /**
   * Log in and open the socket, the first time.
   * @throws {WrongPassword | PbxUnreachable}
   */
  async open() {
    await this.#connect();
  }

  /** Leave. Idempotent. */
  close() {
    this.#closed = true;
    this.#password = "";
    this.#clearTimers();
    this.#socket?.close(1000);
    this.#socket = null;
    this.#status("closed");
  }

  /** Whether frames can be sent now. */
  get up() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /**
   * Send one action frame.
   * @param {string} action
   * @param {Object} [fields]
   * @returns {boolean} false if the connection is away
   */
  send(action, fields = {}) {
    if (!this.up) return false;
    this.#socket.send(JSON.stringify({ action, ...fields }));
    return true;
  }

  /** Try to connect now, not when the back-off is over. */
  retryNow() {
    if (this.#closed || this.#socket || this.#connecting) return;
    this.#clearTimers();
    this.#reconnect();
  }

  async #connect() {
    this.#connecting = true;
    this.#status("connecting");
    try {
      await inTurn(async () => {
        await this.#login();
        await this.#openSocket();
      });
    } finally {
      this.#connecting = false;
    }
  }

  async #login() {
    const response = await this.#ask({ name: "auth", value: `${this.user} ${this.#password}` });
    if (response.status >= 500) throw new PbxUnreachable(`the PBX answered with an error (${response.status})`);
    const answer = await response.text();
    if (!response.ok || answer.trim() === "false") throw new WrongPassword("wrong extension or password");
    this.dialect = dialectOf(response.headers.get("Server"));
  }

  async #ask(body) {
    try {
      return await fetch(`${this.#origin}/rest/system/session`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        credentials: "same-origin",
        cache: "no-store",
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      });
    } catch (error) {
      throw new PbxUnreachable("the PBX can't be reached", { cause: error });
    }
  }

  #openSocket() {
    const base = this.#origin.replace(/^http/, "ws");
    const query = new URLSearchParams({ domain: this.domain, user: this.user });
    const socket = new WebSocket(`${base}/websocket?${query}`);
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => socket.close(), ANSWER_MS);
      socket.onopen = () => {
        clearTimeout(late);
        this.#opened(socket);
        resolve();
      };
      socket.onclose = () => {
        clearTimeout(late);
        reject(new PbxUnreachable(`the PBX took the login but not the connection; is “${this.domain}” its domain?`));
      };
    });
  }

  #opened(socket) {
    if (this.#closed) {
      socket.close(1000);
      return;
    }
    this.#socket = socket;
    this.#tries = 0;
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = () => this.#lost();
    this.send("avoid-disconnect");
    this.#repeat(KEEPALIVE_MS, () => this.send("avoid-disconnect"));
    this.send("domain-calls", { subscribe: true });
    this.#status("up");
    this.#register();
  }

  #received(data) {
    const read = typeof data === "string" ? parseFrame(data) : null;
    if (!read) {
      console.warn("a frame of the PBX was not understood");
      return;
    }
    this.#heard = true;
    if (read.kind === "sip-register") this.#confirmed(Number(read.frame.expires));
    this.emit("frame", read);
  }

  // --- registration ---

  #register() {
    this.#heard = false;
    this.send("sip-register", { useragent: USER_AGENT });
    this.#unanswered = this.#later(ANSWER_MS, () => this.#notConfirmed());
  }

  /** A browser tells nothing of a socket that has silently died: the PBX that says nothing at all is its only sign. */
  #notConfirmed() {
    if (!this.#heard) {
      this.#socket.onclose = this.#socket.onmessage = null;
      this.#socket.close();
      this.#lost();
      return;
    }
    this.registered = false;
    this.#status("up", "the PBX does not confirm the registration: calls to you may not ring here");
    this.#register();
  }

  #unanswered = null;

  #confirmed(expires) {
    if (this.#unanswered === null) return;
    this.#cancel(this.#unanswered);
    this.#unanswered = null;
    this.registered = true;
    this.#status("up");
    const seconds = expires > 0 ? expires : DEFAULT_EXPIRES_S;
    this.#later((seconds / 2) * 1000, () => this.#register());
  }

  // --- lost, and again ---

  #lost() {
    this.#socket = null;
    this.registered = false;
    this.#unanswered = null;
    this.#clearTimers();
    if (!this.#closed) this.#retryLater("the connection to the PBX was lost");
  }

  #retryLater(detail) {
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#tries);
    const wait = longest * (0.5 + Math.random() / 2);
    this.#tries += 1;
    this.#status("lost", detail);
    this.#later(wait, () => this.#reconnect());
  }

  async #reconnect() {
    try {
      await this.#connect();
    } catch (error) {
      if (this.#closed) return;
      if (error instanceof WrongPassword) this.#status("refused", error.message);
      else this.#retryLater(error.message);
    }
  }

  // --- small change ---

  #status(state, detail = "") {
    this.emit("status", { state, registered: this.registered, detail });
  }

  #later(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #repeat(ms, act) {
    this.#timers.add(setInterval(act, ms));
  }

  #cancel(timer) {
    clearTimeout(timer);
    this.#timers.delete(timer);
  }

  #clearTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/**
 * Tabs of one browser share the session cookie, so only one at a time logs in and opens its socket.
 * @param {() => Promise<void>} act
 */
function inTurn(act) {
  return navigator.locks ? navigator.locks.request("vodiabot-login", act) : act();
}
