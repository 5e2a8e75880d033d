// The service itself: what it waits for, what it counts, promised against realised alarms.

import { get, segment, text } from "./api.js";
import { duration, ms, time } from "./clock.js";
import { fact, h, link } from "./dom.js";
import * as live from "./live.js";
import { bytes, count, number, percent } from "./words.js";

const REFRESH_MS = 3000;

// Reads Prometheus' text format into name → [{labels, value}].
export function parseMetrics(body) {
  const metrics = new Map();
  for (const line of body.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries([...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c))]));
    if (!metrics.has(match[1])) metrics.set(match[1], []);
    metrics.get(match[1]).push({ labels, value: Number(match[3].replace("+Inf", "Infinity")) });
  }
  return metrics;
}

const sum = (metrics, name, test = () => true) => (metrics.get(name) ?? []).filter(({ labels }) => test(labels)).reduce((total, { value }) => total + value, 0);

// A quantile of a histogram, from its buckets: the bound of the bucket it falls into.
function quantile(metrics, name, q) {
  const buckets = new Map();
  for (const { labels, value } of metrics.get(`${name}_bucket`) ?? []) buckets.set(Number(labels.le.replace("+Inf", "Infinity")), (buckets.get(Number(labels.le.replace("+Inf", "Infinity"))) ?? 0) + value);
  const total = sum(metrics, `${name}_count`);
  if (!total) return null;
  const found = [...buckets].sort(([a], [b]) => a - b).find(([, n]) => n >= q * total);
  return found ? found[0] : null;
}

const seconds = (value) => (value === null ? "–" : value === Infinity ? "over 2 min" : `≤ ${value < 1 ? `${number(1000 * value)} ms` : `${number(value)} s`}`);

function byLabel(metrics, name, label) {
  const totals = new Map();
  for (const { labels, value } of metrics.get(name) ?? []) totals.set(labels[label] ?? "", (totals.get(labels[label] ?? "") ?? 0) + value);
  return [...totals].sort(([, a], [, b]) => b - a);
}

export async function healthView(root) {
  const checks = h("section", { class: "card", "aria-labelledby": "checks" });
  const flow = h("section", { class: "card", "aria-labelledby": "flow" });
  const speed = h("section", { class: "card", "aria-labelledby": "speed" });
  const alarms = h("section", { class: "card", "aria-labelledby": "alarms" });
  const heading = h("h1", {}, "Health");
  const failure = h("p", { class: "note bad", hidden: true });

  async function refresh() {
    const [health, metrics] = await Promise.all([get("health"), text("/metrics").then(parseMetrics)]);
    failure.hidden = true;
    const { about, readiness } = health;
    checks.replaceChildren(h("h2", { id: "checks" }, health.is_ready ? "Doing its work" : "Not ready"),
      ...(readiness.checks.length ? readiness.checks.map((check) => h("div", { class: "check" }, h("span", { class: check.is_ok ? "mark ok" : "mark bad" }, check.is_ok ? "✓ ok" : "✗ not ok"), h("strong", {}, check.name), h("span", { class: "detail" }, check.detail))) : [h("p", { class: "soft" }, "Nothing is known yet; the service is starting.")]),
      h("dl", { class: "facts" }, fact("version", about.version), fact("running for", duration(Date.now() - ms(about.started_at))), fact("started", time(about.started_at)), fact("broker", about.broker ?? "–"), fact("topics", about.topics.join(", ") || "–"), fact("database", metrics.has("kilter_store_bytes") ? bytes(sum(metrics, "kilter_store_bytes")) : "–")));
    const readings = byLabel(metrics, "kilter_readings_total", "result");
    const queues = byLabel(metrics, "kilter_queue_depth", "queue");
    const messages = byLabel(metrics, "kilter_messages_total", "result");
    flow.replaceChildren(h("h2", { id: "flow" }, "What came in"),
      pairs("Messages", messages), pairs("Readings", readings),
      h("dl", { class: "facts" }, fact("rows closed", count(sum(metrics, "kilter_rows_closed_total"))), fact("windows scored", count(sum(metrics, "kilter_windows_scored_total"))), fact("alerts opened", count(sum(metrics, "kilter_alerts_total", (labels) => labels.transition === "opened"))), ...queues.map(([queue, depth]) => fact(`waiting: ${queue || "queue"}`, count(depth)))));
    const times = [["kilter_ingest_lag_seconds", "event time to arrival"], ["kilter_score_seconds", "row to verdict"], ["kilter_commit_seconds", "one commit, on disk"], ["kilter_training_seconds", "one fit"]];
    speed.replaceChildren(h("h2", { id: "speed" }, "How long things take"), h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "How long things take" }, h("table", {}, h("thead", {}, h("tr", {}, ...["What", "Half of them", "99 of 100", "How many"].map((name, i) => h("th", { scope: "col", class: i ? "num" : null }, name)))),
      h("tbody", {}, times.map(([name, what]) => h("tr", {}, h("td", {}, what), h("td", { class: "num nowrap" }, seconds(quantile(metrics, name, 0.5))), h("td", { class: "num nowrap" }, seconds(quantile(metrics, name, 0.99))), h("td", { class: "num" }, count(sum(metrics, `${name}_count`)))))))));
    const promised = new Map((metrics.get("kilter_alarm_rate_promised") ?? []).map(({ labels, value }) => [labels.series, value]));
    const realised = new Map((metrics.get("kilter_alarm_rate_realised") ?? []).map(({ labels, value }) => [labels.series, value]));
    const names = [...new Set([...promised.keys(), ...realised.keys()])].filter((name) => name !== undefined).sort((a, b) => (realised.get(b) ?? 0) - (realised.get(a) ?? 0)).slice(0, 50);
    const rate = (value) => (value === undefined ? "–" : `${number(10_000 * value)}`);
    alarms.replaceChildren(h("h2", { id: "alarms" }, "Alarms promised and realised"), names.length
      ? h("div", { class: "scroll too-long", tabindex: "0", role: "group", "aria-label": "Alarms promised and realised" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Series", "False openings allowed, per 10,000 rows", "Openings so far, per 10,000 rows"].map((text, i) => h("th", { scope: "col", class: i ? "num" : null }, text)))), h("tbody", {}, names.map((name) => h("tr", {}, h("td", {}, link(`#/series/${segment(name)}`, name)), h("td", { class: "num" }, rate(promised.get(name))), h("td", { class: "num" }, rate(realised.get(name))))))))
      : h("p", { class: "soft" }, "Known once series are judged."));
  }

  function pairs(title, list) {
    const total = list.reduce((n, [, value]) => n + value, 0);
    return h("div", {}, h("h3", {}, title), list.length ? h("table", {}, h("tbody", {}, list.map(([name, value]) => h("tr", {}, h("td", {}, name.replaceAll("_", " ") || "all"), h("td", { class: "num" }, count(value)), h("td", { class: "num soft" }, total ? percent(value / total) : ""))))) : h("p", { class: "soft" }, "None yet."));
  }

  root.replaceChildren(heading, failure, h("div", { class: "grid2" }, checks, flow, speed, alarms), h("p", { class: "soft" }, "Everything here and more: ", link("/metrics", "metrics for Prometheus"), ", ", link("/docs", "API documentation"), "."));
  await refresh();
  live.listen({ onEvent: () => {}, onCatchUp: () => refresh().catch(() => {}) });
  const timer = setInterval(() => {
    if (!document.hidden) refresh().catch((error) => { failure.textContent = error.message; failure.hidden = false; });
  }, REFRESH_MS);
  return { leave: () => clearInterval(timer) };
}
