// The service itself: what it waits for, what it counts, promised against realised alarms.

import { get, segment, text } from "./api.js";
import { duration, ms, time } from "./clock.js";
import { command, fact, fill, h, link, table } from "./dom.js";
import * as live from "./live.js";
import { bytes, count, number, percent } from "./words.js";

const REFRESH_MS = 3000;
// Metrics of thousands of series are megabytes: they are read less often.
const LARGE_CHARS = 500_000;
const LARGE_REFRESH_MS = 30_000;

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

// What the service counts, in a reader's words.
const RESULTS = {
  accepted: "taken in", redelivered: "sent again by the broker", late: "too late for their row", duplicate: "second value for one cell", too_old: "too far in the past", too_far_future: "too far in the future",
  over_channel_limit: "over the limit of channels", over_series_limit: "over the limit of series",
};
const QUEUES = { messages: "messages waiting to be judged", commits: "batches waiting for the disk" };
const TIMES = [
  ["kilter_ingest_lag_seconds", "from measured to arrived", "Long when recordings or a simulated clock are played."], ["kilter_score_seconds", "from taken in to judged and stored"],
  ["kilter_commit_seconds", "one commit, on disk"], ["kilter_training_seconds", "fitting one model"],
];

function byLabel(metrics, name, label) {
  const totals = new Map();
  for (const { labels, value } of metrics.get(name) ?? []) totals.set(labels[label] ?? "", (totals.get(labels[label] ?? "") ?? 0) + value);
  return [...totals].sort(([, a], [, b]) => b - a);
}

export async function healthView(root) {
  const checks = h("section", { class: "card", "aria-labelledby": "checks" });
  const flow = h("section", { class: "card", "aria-labelledby": "flow" });
  const speed = h("section", { class: "card", "aria-labelledby": "speed" });
  const told = h("section", { class: "card", "aria-labelledby": "told" });
  const alarms = h("section", { class: "card", "aria-labelledby": "alarms" });
  const heading = h("h1", {}, "Health");
  let period = REFRESH_MS;
  let timer = null;
  const failure = h("p", { class: "note bad", hidden: true });

  async function refresh() {
    const [health, metrics, targets] = await Promise.all([get("health"), text("/metrics").then((body) => { period = body.length > LARGE_CHARS ? LARGE_REFRESH_MS : REFRESH_MS; return parseMetrics(body); }), get("targets")]);
    failure.hidden = true;
    const { about, readiness } = health;
    fill(checks, h("h2", { id: "checks" }, health.is_ready ? "Doing its work" : "Not ready"),
      ...(readiness.checks.length ? readiness.checks.map((check) => h("div", { class: "check" }, h("span", { class: check.is_ok ? "mark ok" : "mark bad" }, check.is_ok ? "✓ ok" : "✗ not ok"), h("strong", {}, check.name), h("span", { class: "detail" }, check.detail))) : [h("p", { class: "soft" }, "Nothing is known yet; the service is starting.")]),
      h("dl", { class: "facts" }, fact("version", about.version), fact("running for", duration(Date.now() - ms(about.started_at))), fact("started", time(about.started_at)), fact("broker", about.broker ?? "–"), fact("topics", about.topics.join(", ") || "–"),
        metrics.has("kilter_store_bytes") ? fact("database on disk", bytes(sum(metrics, "kilter_store_bytes"))) : null, metrics.has("kilter_disk_free_bytes") ? fact("free on that disk", bytes(sum(metrics, "kilter_disk_free_bytes"))) : null));
    const readings = byLabel(metrics, "kilter_readings_total", "result");
    const queues = byLabel(metrics, "kilter_queue_depth", "queue");
    const messages = byLabel(metrics, "kilter_messages_total", "result");
    flow.replaceChildren(h("h2", { id: "flow" }, "What came in"),
      pairs("Messages", messages), pairs("Readings", readings),
      ...(sum(metrics, "kilter_messages_total") ? [] : [h("p", { class: "soft" }, "Nothing yet. ", about.example_command ? "Send a first one from a terminal on this machine:" : ""), about.example_command ? command(about.example_command) : ""]),
      h("dl", { class: "facts" }, fact("rows closed", count(sum(metrics, "kilter_rows_closed_total"))), fact("rows judged", count(sum(metrics, "kilter_windows_scored_total"))), fact("alerts opened", count(sum(metrics, "kilter_alerts_total", (labels) => labels.transition === "opened"))),
        ...queues.map(([queue, depth]) => fact(QUEUES[queue] ?? `waiting: ${queue}`, count(depth))), fact("commits that failed and were tried again", count(sum(metrics, "kilter_commit_failures_total")))));
    speed.replaceChildren(h("h2", { id: "speed" }, "How long things take"),
      table(["What", "#Half of them", "#99 of 100", "#How many"], TIMES.map(([name, what, hint]) => [hint ? h("span", { title: hint }, what) : what, seconds(quantile(metrics, name, 0.5)), seconds(quantile(metrics, name, 0.99)), count(sum(metrics, `${name}_count`))]), { caption: "How long things take" }));
    told.replaceChildren(h("h2", { id: "told" }, "Who is told of alerts"), targets.data.length
      ? table(["Receiver", "Last told", "#Waiting", "#Held back", "#Refused"], targets.data.map((one) => [one.name, one.delivered_at ? time(one.delivered_at) : "not yet", count(one.n_pending), count(one.n_held), one.n_dead ? h("strong", {}, count(one.n_dead)) : "0"]), { caption: "Receivers of notices" })
      : h("p", { class: "soft" }, "Nobody yet: alerts are only shown here."),
    targets.data.some((one) => one.n_dead) ? h("p", { class: "soft" }, "Refused notices are kept: ", link("/api/v1/dead_letters", "dead letters"), ".") : "");
    const promised = new Map((metrics.get("kilter_alarm_rate_promised") ?? []).map(({ labels, value }) => [labels.series, value]));
    const realised = new Map((metrics.get("kilter_alarm_rate_realised") ?? []).map(({ labels, value }) => [labels.series, value]));
    const names = [...new Set([...promised.keys(), ...realised.keys()])].filter((name) => name !== undefined).sort((a, b) => (realised.get(b) ?? 0) - (realised.get(a) ?? 0)).slice(0, 50);
    const rate = (value) => (value === undefined ? "–" : `${number(10_000 * value)}`);
    alarms.replaceChildren(h("h2", { id: "alarms" }, "Alarms promised and realised"), ...names.length
      ? [h("p", { class: "soft" }, "Per 10,000 rows. Promised: false openings that the alarm budget allows. Realised: all openings, true ones too, since the first model."),
        table(["Series", "#Promised", "#Realised"], names.map((name) => [link(`#/series/${segment(name)}`, name), rate(promised.get(name)), rate(realised.get(name))]), { caption: "Alarms promised and realised, per 10,000 rows", stacks: false })]
      : [h("p", { class: "soft" }, "Known once series are judged.")]);
  }

  function pairs(title, list) {
    const total = list.reduce((n, [, value]) => n + value, 0);
    return h("div", {}, h("h3", {}, title), list.length ? h("table", {}, h("tbody", {}, list.filter(([name, value]) => value > 0 || name === "accepted").map(([name, value]) => h("tr", {}, h("td", {}, RESULTS[name] ?? (name.replaceAll("_", " ") || "all")), h("td", { class: "num" }, count(value)), h("td", { class: "num soft" }, total ? percent(value / total) : ""))))) : h("p", { class: "soft" }, "None yet."));
  }

  root.replaceChildren(heading, failure, h("div", { class: "grid2" }, checks, flow, speed, told, alarms), h("p", { class: "soft" }, "Everything here and more: ", link("/metrics", "metrics for Prometheus"), ", ", link("/docs", "API documentation"), "."));
  await refresh();
  live.listen({ onEvent: () => {}, onCatchUp: () => refresh().catch(() => {}) });
  const again = () => {
    timer = setTimeout(async () => {
      if (!document.hidden) await refresh().catch((error) => { failure.textContent = error.message; failure.hidden = false; });
      if (root.isConnected) again();
    }, period);
  };
  again();
  return { leave: () => clearTimeout(timer) };
}
