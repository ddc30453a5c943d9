// The form to sign in with.

import { byId, touchOnly } from "./dom.js";
import { microphonePossible, NO_MICROPHONE_HERE } from "./messages.js";

/** What the address after `#` asks for; never a password. @returns {{user: string, dial: string, domain: string}} */
export function wishes() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  return { user: wanted.get("user") ?? "", dial: wanted.get("dial") ?? "", domain: wanted.get("domain") ?? "" };
}

/** The page before somebody is signed in. */
export class SignIn {
  /**
   * @param {(account: {user: string, password: string, domain: string}) => Promise<void>} signIn raises what went wrong
   */
  constructor(signIn) {
    this.#signIn = signIn;
    byId("signin-form").onsubmit = (event) => this.#submitted(event);
    if (!microphonePossible()) {
      byId("signin-notice").hidden = false;
      byId("signin-notice").textContent = NO_MICROPHONE_HERE;
    }
  }

  #signIn;

  /**
   * @param {string} [why] the person is here again
   */
  show(why = "") {
    const { user, domain } = wishes();
    byId("signin").hidden = false;
    byId("phone").hidden = true;
    if (user) byId("user").value ||= user;
    if (domain) {
      byId("domain").value = domain;
      byId("more").open = true;
    }
    byId("password").value = "";
    byId("signin-error").textContent = why;
    if (!touchOnly()) byId(byId("user").value ? "password" : "user").focus();
  }

  hide() {
    byId("signin").hidden = true;
    byId("password").value = "";
  }

  async #submitted(event) {
    event.preventDefault();
    const account = this.#read();
    if (!account) return;
    const button = byId("signin-button");
    button.disabled = true;
    button.textContent = "Signing in…";
    byId("signin-error").textContent = "";
    try {
      await this.#signIn(account);
    } catch (error) {
      this.#failed(error);
    } finally {
      button.disabled = false;
      button.textContent = "Sign in";
    }
  }

  /** `46@example.com` names the domain, too. */
  #read() {
    const [user, domain] = byId("user").value.trim().split("@");
    const password = byId("password").value;
    const missing = !user ? "user" : !password ? "password" : "";
    if (missing) {
      byId("signin-error").textContent = `Please type your ${missing === "user" ? "extension" : "password"}.`;
      byId(missing).focus();
      return null;
    }
    return { user, password, domain: domain || byId("domain").value.trim() || "localhost" };
  }

  #failed(error) {
    const text = error.message;
    byId("signin-error").textContent = `Sign-in failed: ${text}${/[.?]$/.test(text) ? "" : "."}`;
    if (text.includes("domain")) byId("more").open = true;
    byId("password").select();
    byId("password").focus();
  }
}
