// What judges each series.

import { all, get, segment } from "./api.js";
import { time } from "./clock.js";
import { h, link, table } from "./dom.js";
import * as live from "./live.js";
import { modelView } from "./model.js";
import { bytes, signed, word } from "./words.js";

const NAMES_SHOWN = 6;

export function seriesLinks(names) {
  if (names.length === 0) return "no series now";
  const links = names.slice(0, NAMES_SHOWN).flatMap((name, i) => [i ? ", " : "", h("a", { class: "series-link", href: `#/series/${segment(name)}` }, name)]);
  return names.length > NAMES_SHOWN ? [...links, ` and ${names.length - NAMES_SHOWN} more`] : links;
}

export async function modelsView(root, id) {
  live.listen({ onEvent: () => {}, onCatchUp: () => {} });
  if (id) return modelView(root, await get(`models/${segment(id)}`));
  const models = await all("models");
  const inUse = models.filter((model) => model.active_on.length > 0);
  const retired = models.filter((model) => model.active_on.length === 0);
  root.replaceChildren(h("h1", {}, "Models"),
    h("p", { class: "soft" }, "A model is what a series has learned to be normal: its members rebuild each row from the rows before it, and what they cannot rebuild is unusual."),
    h("section", { class: "card", "aria-labelledby": "in-use" }, h("h2", { id: "in-use" }, "In use"), inUse.length ? list(inUse, "Models in use")
      : h("p", { class: "soft" }, "None yet. The first is fitted by the service itself as soon as a series has enough rows: see its warm-up in the ", link("#/", "fleet view"), ".")),
    retired.length ? h("details", { class: "card" }, h("summary", {}, `Judging nothing now: ${retired.length}`), list(retired, "Models that judge nothing now")) : "");
  return {};
}

function list(models, caption) {
  const hasSkill = models.some((model) => Number.isFinite(model.model_skill));
  const names = ["Judges", "Model", "Learned from rows up to", "Members", "#Channels", ...(hasSkill ? ["#Skill against PCA"] : []), "#Size"];
  return table(names, models.map((model) => [
    seriesLinks(model.active_on.length || !model.series ? model.active_on : [model.series]), link(`#/models/${segment(model.id)}`, h("code", {}, model.id.slice(0, 8))), time(model.trained_to),
    model.members.map(word).join(", "), String(model.channels.length), ...(hasSkill ? [signed(model.model_skill)] : []), bytes(model.n_bytes)]), { caption });
}
