// Who is acting: asked once, then remembered by this browser.

import { h } from "./dom.js";

const KEY = "kilter-author";

export function authorField() {
  const input = h("input", { type: "text", name: "author", maxlength: "200", autocomplete: "name", value: localStorage.getItem(KEY) ?? "" });
  return {
    element: h("label", { class: "field" }, h("span", {}, "Who you are"), input),
    // The name, remembered for the next time.
    name() {
      const name = input.value.trim();
      localStorage.setItem(KEY, name);
      return name;
    },
  };
}
