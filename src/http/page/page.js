// The page: which view is shown, and what all views share.

import { h } from "./dom.js";
import * as live from "./live.js";
import { alertView } from "./alert.js";
import { alertsView } from "./alerts.js";
import { fleetView } from "./fleet.js";
import { healthView } from "./health.js";
import { modelsView } from "./models.js";
import { countOpen } from "./open_count.js";
import { seriesView } from "./series.js";

// What stands after the # and which view it is. The first match counts.
const ROUTES = [
  [/^\/?$/, "fleet", fleetView],
  [/^\/series\/([^/?]+)(?:\?(.*))?$/, "fleet", seriesView],
  [/^\/alerts\/?$/, "alerts", alertsView],
  [/^\/alerts\/([^/?]+)$/, "alerts", alertView],
  [/^\/models(?:\/([^/?]+))?$/, "models", modelsView],
  [/^\/health$/, "health", healthView],
];

const main = document.getElementById("main");
let shown = null;
let isFirst = true;

async function show() {
  const path = location.hash.replace(/^#/, "");
  if (path === "main") return;
  const [match, name, view] = ROUTES.map(([pattern, name, view]) => [pattern.exec(path), name, view]).find(([match]) => match) ?? [];
  shown?.leave?.();
  live.stop();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const current = { leave: null };
  shown = current;
  const root = h("div", { style: "display: contents" }, h("p", { class: "loading" }, "Loading…"));
  main.replaceChildren(root);
  try {
    if (!view) throw new Error(`There is no view ${path}.`);
    const opened = await view(root, ...match.slice(1).map((part) => part && decodeURIComponent(part)));
    if (shown === current) Object.assign(current, opened);
    else opened?.leave?.();
  } catch (error) {
    if (shown !== current) return;
    const again = h("button", { type: "button", onclick: show }, "Try again");
    root.replaceChildren(h("section", { class: "card" }, h("h1", { tabindex: "-1" }, error.status === 404 ? "Not here" : "This did not work"),
      h("p", {}, error.message), h("div", { class: "row" }, again, h("a", { class: "button", href: "#/" }, "To the fleet"))));
    if (!error.status && error.status !== 0) console.error(error);
  }
  const heading = root.querySelector("h1");
  document.title = heading ? `${heading.dataset.title ?? heading.textContent} – Kilter` : "Kilter";
  if (!isFirst) {
    heading?.setAttribute("tabindex", "-1");
    heading?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  isFirst = false;
}

function applyTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  shown?.recolour?.();
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => shown?.recolour?.());
document.getElementById("theme").addEventListener("click", () => {
  const isDark = (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const theme = isDark ? "light" : "dark";
  localStorage.setItem("kilter-theme", theme);
  applyTheme(theme);
});
applyTheme(localStorage.getItem("kilter-theme"));
addEventListener("hashchange", show);
setInterval(countOpen, 15_000);
countOpen();
show();
