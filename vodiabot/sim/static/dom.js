// Making and changing elements. What comes from the network goes in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * An element. `on…` properties are listeners, `class` and names with a dash are attributes, the rest are properties.
 * @param {string} tag
 * @param {Object} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class" || name === "role" || name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** @param {string} name of a symbol in index.html, without its `i-` */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** @param {Element} holder of an icon @param {string} name */
export function setIcon(holder, name) {
  holder.querySelector("use").setAttribute("href", `#i-${name}`);
}

/** Change a text only if it differs, so that live regions speak once. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Twelve keys.
 * @param {(key: string) => void} press
 * @param {string} label
 */
export function keypad(press, label) {
  const letters = { 2: "ABC", 3: "DEF", 4: "GHI", 5: "JKL", 6: "MNO", 7: "PQRS", 8: "TUV", 9: "WXYZ", 0: "+" };
  const names = { "*": "star", "#": "hash" };
  const keys = [..."123456789*0#"].map((key) =>
    h(
      "button",
      { type: "button", class: "key", "aria-label": names[key] ?? key, "data-key": key, onclick: () => press(key) },
      h("span", {}, key),
      h("small", { "aria-hidden": "true" }, letters[key] ?? ""),
    ),
  );
  return h("div", { class: "keypad", role: "group", "aria-label": label }, ...keys);
}

/** Whether the person writes into this element. @param {EventTarget | null} target */
export function isWriting(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;
}

/** Focus on a touch screen would bring up its keyboard. */
export function touchOnly() {
  return matchMedia("(hover: none)").matches;
}
