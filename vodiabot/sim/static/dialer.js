// The number field and its keypad.

import { byId, keypad, touchOnly } from "./dom.js";

/** Events come as calls of `dial`. */
export class Dialer {
  /**
   * @param {import("./sounds.js").Sounds} sounds
   * @param {(number: string) => void} dial with what is in the field; "" if it is empty
   */
  constructor(sounds, dial) {
    this.#sounds = sounds;
    byId("dial-keys").replaceChildren(keypad((key) => this.press(key), "Keypad"));
    byId("dial-form").onsubmit = (event) => {
      event.preventDefault();
      dial(this.#number.value.trim());
    };
    byId("erase").onclick = () => this.#erase();
    this.#number.oninput = () => this.#changed();
    this.#changed();
  }

  #sounds;
  #number = byId("number");

  /** @param {string} number */
  set number(number) {
    this.#number.value = number;
    this.#changed();
  }

  /** @param {string} key to be appended */
  press(key) {
    this.number = this.#number.value + key;
    if (/[\d*#]/.test(key)) this.#sounds.key(key, 0.12);
  }

  /**
   * @param {boolean} talking then the keypad makes room, and a new call holds the present one
   * @param {boolean} further whether there is any call, be it on hold
   */
  update(talking, further) {
    byId("dial-keys").hidden = talking;
    byId("dial-title").textContent = further ? "Another call" : "New call";
  }

  /** Where the person goes on; not on a touch screen, whose keyboard would come up. */
  focus() {
    if (touchOnly()) byId("me").focus();
    else this.#number.focus();
  }

  /** The cursor leaves the field, so that keys go to the call. */
  leave() {
    this.#number.blur();
  }

  #erase() {
    this.number = this.#number.value.slice(0, -1);
    if (!touchOnly()) this.#number.focus();
  }

  #changed() {
    byId("erase").hidden = !this.#number.value;
  }
}
