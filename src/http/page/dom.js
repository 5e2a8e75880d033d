// Makes elements. Text always goes in as text, so no name or note from outside can become markup.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Puts children in place of what is there; a child that is null or false is left out.
export const fill = (element, ...children) => element.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));

export const link = (href, ...children) => h("a", { href }, ...children);

// A label over a value, for lists of facts.
export const fact = (term, ...value) => h("div", {}, h("dt", {}, term), h("dd", {}, ...value));

// A table from column names and rows of cells. A name that begins with # heads a column of numbers. Narrow screens show
// each row as a block, with the column's name before each value.
export function table(names, rows, { caption, rowHeader = false, stacks = true } = {}) {
  const isNumber = names.map((name) => name.startsWith("#"));
  const texts = names.map((name) => name.replace(/^#/, ""));
  const cell = (content, i) => h(rowHeader && i === 0 ? "th" : "td", { scope: rowHeader && i === 0 ? "row" : null, class: isNumber[i] ? "num" : null, "data-name": texts[i] || null }, h("span", {}, content));
  return h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": caption }, h("table", { class: stacks ? "stacks" : null },
    h("caption", { class: "visually-hidden" }, caption),
    h("thead", {}, h("tr", {}, texts.map((text, i) => h("th", { scope: "col", class: isNumber[i] ? "num" : null, "data-head": text }, text)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cell))))));
}

// Says something to screen readers without moving the focus.
export function announce(text) {
  const news = document.getElementById("news");
  news.textContent = "";
  requestAnimationFrame(() => { news.textContent = text; });
}

export function copyButton(text) {
  const button = h("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy by hand";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2500);
  });
  return button;
}

export const command = (text) => h("div", { class: "command" }, h("pre", {}, h("code", {}, text)), copyButton(text));
