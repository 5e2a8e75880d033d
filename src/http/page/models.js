// What judges each series, and what it was fitted on.

import { all, get, segment } from "./api.js";
import { time } from "./clock.js";
import { fact, h, link } from "./dom.js";
import * as live from "./live.js";
import { bytes, number, word } from "./words.js";

const seriesLinks = (names) => (names.length ? names.slice(0, 6).flatMap((name, i) => [i ? ", " : "", h("a", { class: "series-link", href: `#/series/${segment(name)}` }, name)]).concat(names.length > 6 ? ` and ${names.length - 6} more` : []) : "nothing now");

export async function modelsView(root, id) {
  live.listen({ onEvent: () => {}, onCatchUp: () => {} });
  return id ? showOne(root, await get(`models/${segment(id)}`)) : showAll(root, await all("models"));
}

function showAll(root, models) {
  const rows = models.map((model) => h("tr", {}, h("td", {}, link(`#/models/${segment(model.id)}`, h("code", {}, model.id.slice(0, 8)))), h("td", {}, seriesLinks(model.active_on)), h("td", {}, time(model.trained_to)), h("td", {}, model.members.map(word).join(", ")), h("td", { class: "num" }, String(model.channels.length)), h("td", { class: "num nowrap" }, bytes(model.n_bytes))));
  root.replaceChildren(h("h1", {}, "Models"), h("section", { class: "card", "aria-label": "Models" }, models.length
    ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Models, newest first" }, h("table", {}, h("caption", { class: "visually-hidden" }, "Models, newest first"), h("thead", {}, h("tr", {}, ...["Model", "Judges", "Fitted up to", "Members", "Channels", "Size"].map((text, i) => h("th", { scope: "col", class: i > 3 ? "num" : null }, text)))), h("tbody", {}, rows)))
    : h("p", { class: "soft" }, "No model yet. The first is fitted when a series has enough rows (see its warm-up in the fleet view); the service does that by itself.")));
  return {};
}

function showOne(root, model) {
  root.replaceChildren(h("h1", { "data-title": `Model ${model.id.slice(0, 8)}` }, "Model ", h("code", {}, model.id)),
    h("section", { class: "card", "aria-label": "At a glance" }, h("dl", { class: "facts" },
      fact("judges", seriesLinks(model.active_on)), fact("fitted on", model.series ? link(`#/series/${segment(model.series)}`, model.series) : "several series"), fact("fitted on rows up to", time(model.trained_to)),
      fact("members", model.members.map(word).join(", ")), fact("size", bytes(model.n_bytes)))),
    h("section", { class: "card", "aria-labelledby": "model-channels" }, h("h2", { id: "model-channels" }, "Channels"), h("p", {}, model.channels.join(", "))),
    h("section", { class: "card", "aria-labelledby": "provenance" }, h("h2", { id: "provenance" }, "Where it comes from"), values(model.provenance)));
  return {};
}

// A JSON value as nested lists: whatever a fit has recorded can be read here without this page knowing its fields.
function values(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, 6);
  if (typeof value === "string") return /^\d{4}-\d\d-\d\dT/.test(value) ? time(value) : value;
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    if (value.length > 12 && value.every((item) => typeof item === "number")) return sketch(value);
    return value.length ? h("span", {}, value.flatMap((item, i) => [i ? ", " : "", values(item)])) : "none";
  }
  return h("table", {}, h("tbody", {}, Object.entries(value).map(([name, item]) => h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), h("td", {}, values(item))))));
}

// A list of numbers, a training curve for instance, in words: its ends and its least.
const sketch = (list) => `${list.length} values, from ${number(list[0])} to ${number(list.at(-1))}, least ${number(Math.min(...list))}`;
