// One model: what it judges and since when, how it was trained, what it would see, and its settings.

import { all, post, query, segment } from "./api.js";
import { Chart, columns } from "./chart.js";
import { duration, ms, time } from "./clock.js";
import { fact, h, link, table } from "./dom.js";
import { latentMap } from "./latent_map.js";
import { seriesLinks } from "./models.js";
import { powerSection } from "./power.js";
import { bytes, count, number, word } from "./words.js";

export async function modelView(root, model) {
  const made = model.provenance ?? {};
  const since = await Promise.all(model.active_on.slice(0, 20).map((name) => sinceWhen(name, model.id)));
  const charts = [];
  const latents = h("div", {}, h("p", { class: "soft" }, "Drawing…"));
  root.replaceChildren(...[
    h("h1", { "data-title": `Model ${model.id.slice(0, 8)}` }, "Model ", h("code", {}, model.id)),
    h("section", { class: "card", "aria-label": "At a glance" }, h("div", { class: "lead" }, ...story(model, made)),
      h("dl", { class: "facts" }, fact("members", model.members.map(word).join(", ")), fact("channels", model.channels.join(", ")), fact("size", bytes(model.n_bytes)), fact("fitted by", made.kilter_version ? `Kilter ${made.kilter_version}` : "–"))),
    h("section", { class: "card", "aria-labelledby": "judges" }, h("h2", { id: "judges" }, "What it judges"),
      since.length ? table(["Series", "Since", "#From its row"], since.map(({ name, take }) => [link(`#/series/${segment(name)}`, name), take ? time(take.from) : "–", take ? count(take.from_row) : "–"]), { caption: "Series that this model judges" })
        : h("p", { class: "soft" }, "Nothing now: another model has taken over, or its series is gone."),
      model.series && !model.active_on.includes(model.series) ? activation(model) : null),
    await powerSection(model),
    training(made, charts),
    model.members.includes("autoencoder") ? h("section", { class: "card", "aria-labelledby": "latent" }, h("h2", { id: "latent" }, "Map of what the network sees"), latents) : null,
    h("details", { class: "card" }, h("summary", {}, "Settings it was fitted with"), settings(made)),
  ].filter(Boolean));
  const [first] = since.filter(({ take }) => take);
  if (first) latentMap(first.name, ms(first.take.from), Date.now() + 400 * 86_400e3).then((map) => latents.replaceChildren(map), (error) => latents.replaceChildren(h("p", { class: "soft" }, error.message)));
  else latents.replaceChildren(h("p", { class: "soft" }, "Drawn for a model that judges a series now."));
  return { leave: () => charts.forEach((chart) => chart.destroy()), recolour: () => charts.forEach((chart) => chart.recolour()) };
}

// Lets a model that has been replaced judge its series again.
function activation(model) {
  const said = h("span", { class: "soft", role: "status" });
  const button = h("button", { type: "button", onclick: async () => {
    try {
      await post(`models/${segment(model.id)}/activate${query({ series: model.series })}`);
      said.textContent = `It judges ${model.series} from the next row on, until another one is picked.`;
      button.hidden = true;
    } catch (error) {
      said.textContent = `Not done: ${error.message}`;
    }
  } }, `Let it judge ${model.series} again`);
  return h("div", { class: "row" }, button, said);
}

async function sinceWhen(name, id) {
  const takes = await all(`series/${segment(name)}/models`).catch(() => []);
  return { name, take: takes.findLast((take) => take.model_id === id) };
}

function story(model, made) {
  const [from, to] = [moment(made.first_at), moment(made.last_at ?? model.trained_to)];
  const span = from !== null && to !== null && to > from ? ` (${duration(to - from)})` : "";
  const whose = model.series ? link(`#/series/${segment(model.series)}`, model.series) : "several series";
  const rows = Number.isFinite(made.n_rows) ? `${count(made.n_rows)} rows of ` : "";
  return [
    h("p", {}, "Learned from ", rows, whose, from !== null ? [", ", time(new Date(from).toISOString()), " to ", time(new Date(to).toISOString()), span] : [" up to ", time(model.trained_to)], "."),
    Number.isFinite(made.n_excluded) ? h("p", {}, made.n_excluded ? `${count(made.n_excluded)} rows were left out, because an alert was open on them.` : "No row had to be left out: no alert was open on any.") : null,
    made.switched_off ? h("p", {}, h("strong", {}, `Its ${word(made.switched_off.member)} is switched off: `), "injected faults were seen worse with it.") : null,
    h("p", {}, "Judges ", seriesLinks(model.active_on), "."),
  ];
}

// Event times in a provenance are milliseconds since 1970 or text.
const moment = (value) => (Number.isFinite(value) ? value : value ? ms(value) : null);

// Loss by epoch, of the rows trained on and of the rows held out.
function training(made, charts) {
  const curve = made.training;
  if (!curve?.losses?.length) {
    return made.spec?.autoencoder && made.spec.members?.includes("autoencoder")
      ? h("section", { class: "card", "aria-labelledby": "training" }, h("h2", { id: "training" }, "Training"), h("p", { class: "soft" }, "No training curve is kept with this model: its autoencoder was not trained, for want of rows, or an older version fitted it."))
      : null;
  }
  const chart = new Chart({
    label: "Loss by epoch", height: 180, fromZero: true, isTime: false, bounds: () => [1, Math.max(curve.losses.length, 2)], ranges: () => (curve.best_epoch ? [[curve.best_epoch, curve.best_epoch]] : []),
    series: [{ label: "rows trained on", colour: "autoencoder" }, { label: "rows held out", colour: "pca" }],
  });
  charts.push(chart);
  chart.set(columns(curve.losses.map((loss, i) => [i + 1, loss, curve.validation_losses?.[i] ?? null]), 3));
  const best = curve.validation_losses?.[curve.best_epoch - 1];
  return h("section", { class: "card", "aria-labelledby": "training" }, h("h2", { id: "training" }, "Training of the autoencoder"),
    h("p", { class: "soft" }, `Mean squared error by epoch. ${curve.best_epoch ? `The weights of epoch ${curve.best_epoch} of ${curve.losses.length} were kept, the best on rows held out${best ? ` (${number(best)})` : ""}.` : ""}`), chart.element);
}

// Whatever the fit has recorded, flattened: this page need not know the fields.
function settings(made) {
  const rows = [];
  const walk = (value, path) => {
    if (value !== null && typeof value === "object" && !Array.isArray(value)) for (const [name, item] of Object.entries(value)) walk(item, [...path, name]);
    else rows.push([path.join(" · ").replaceAll("_", " "), text(value)]);
  };
  const { training: _, ...rest } = made;
  walk(rest.spec ?? rest, []);
  if (rest.seed !== undefined) rows.push(["seed", text(rest.seed)]);
  return rows.length ? table(["Setting", "Value"], rows, { caption: "Settings", rowHeader: true, stacks: false }) : h("p", { class: "soft" }, "None are recorded.");
}

function text(value) {
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return value.map((item) => (typeof item === "string" ? word(item) : text(item))).join(", ") || "none";
  return typeof value === "number" ? number(value, 6) : typeof value === "boolean" ? (value ? "yes" : "no") : word(value);
}
