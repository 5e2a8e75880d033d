// How states, kinds, numbers and members read to a person.

import { duration } from "./clock.js";
import { h, svg } from "./dom.js";

// Worst first: the order in which somebody should look.
export const STATES = ["anomalous", "model_stale", "no_data", "warming_up", "normal"];

const NAMES = {
  normal: "normal", anomalous: "anomalous", warming_up: "warming up", no_data: "no data", model_stale: "model stale",
  open: "open", resolved: "resolved", warning: "warning", critical: "critical",
  anomaly: "anomaly", stuck: "stuck", silent: "silent", out_of_range: "out of range",
  autoencoder: "autoencoder", pca: "PCA", random_features: "random features", kmeans: "k-means", var: "VAR",
  kernel_pca: "kernel PCA", baseline: "trivial baseline",
};

export const word = (name) => NAMES[name] ?? String(name).replaceAll("_", " ");

// Each state has a shape of its own, so that none depends on colour alone.
const SHAPES = {
  normal: "M2 8.5 6 12.5 14 3.5", resolved: "M2 8.5 6 12.5 14 3.5", anomalous: "M8 1v9M8 13v2", open: "M8 1v9M8 13v2",
  critical: "M8 1v9M8 13v2", warning: "M8 1v9M8 13v2", warming_up: "M8 2v6l4 3M8 1a7 7 0 1 0 .01 0", no_data: "M3 3l10 10M13 3 3 13",
  model_stale: "M8 1a7 7 0 1 0 7 7M8 4v4h4",
};

export function stateBadge(state, text = word(state)) {
  const shape = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: SHAPES[state] ?? "M4 8h8", fill: "none", stroke: "currentColor", "stroke-width": "2.6", "stroke-linecap": "round" }));
  return h("span", { class: `state ${state}` }, shape, text);
}

// A number with as many digits as are worth reading.
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(Math.max(digits - 2, 1));
  return new Intl.NumberFormat(undefined, { maximumSignificantDigits: size >= 10 ** digits ? Math.ceil(Math.log10(size)) : digits }).format(value);
}

// A difference of areas or shares with its sign, to three places.
export function signed(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value).toFixed(3);
  return Number(size) === 0 ? "0" : `${value < 0 ? "−" : "+"}${size}`;
}

export const count = (value) => new Intl.NumberFormat().format(value);
export const percent = (value) => `${number(100 * value, value < 0.1 ? 2 : 3)} %`;

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10)));
  return `${number(value / 1024 ** power)} ${units[power]}`;
}

// What an alert claims, in one sentence.
export function sentence(alert) {
  const [first] = alert.channels;
  const name = first?.channel;
  const seen = first && first.observed !== null ? `${number(first.observed, 4)} seen` : null;
  const wanted = first && first.expected !== null ? `${number(first.expected, 4)} expected` : null;
  const values = [seen, wanted].filter(Boolean).join(", ");
  switch (alert.kind) {
    case "stuck": return name ? `${name} no longer changes` : "A channel no longer changes";
    case "silent": return name ? `${name} no longer speaks` : "Nothing arrives any more";
    case "out_of_range": return name ? `${name} lies outside its limits${seen ? `: ${seen}` : ""}` : "A value lies outside its limits";
    default: return name ? `${name} does not behave as learned${values ? `: ${values}` : ""}` : "The machine does not behave as learned";
  }
}

// A p-value as an odds sentence.
export function howSure(p) {
  if (p === null || p === undefined || !(p > 0)) return "";
  const one = Math.round(1 / p);
  return one < 2 ? "as high as ordinary rows" : `at most 1 in ${count(one)} ordinary rows scores this high`;
}

// How far observed lies from expected: "3.6 less than expected".
export function difference({ observed, expected }) {
  if (observed === null || expected === null) return null;
  return `${number(Math.abs(observed - expected), 3)} ${observed < expected ? "less" : "more"} than expected`;
}

// Why a series is in its state; a warm-up says how far it is and about how long it will take.
export function why(one) {
  if (one.state === "normal" && one.live_score >= 1) return "unusual just now; an alert opens when its evidence reaches 1";
  const progress = one.state === "warming_up" ? one.warm_up : null;
  if (!progress) return one.reason;
  const left = progress.seconds_left > 0 ? `; about ${duration(1000 * progress.seconds_left)} to go` : "";
  return `${count(progress.n_rows)} of ${count(progress.n_wanted)} rows gathered${left}`;
}
