// One series: scores, members, channels with what was expected, alerts as ranges.

import { all, get, segment } from "./api.js";
import { alertItem } from "./alerts.js";
import { ChannelChart, channelKey } from "./channel_chart.js";
import { Chart } from "./chart.js";
import { duration, fullText, ms, time, zone } from "./clock.js";
import { announce, fact, h, link } from "./dom.js";
import * as live from "./live.js";
import { channelColumns, evidenceColumns, loadRows, memberColumns, scoreColumns, stride, strideText } from "./rows.js";
import { count, number, stateBadge, why } from "./words.js";

const ROWS_AT_FIRST = 400;
const RANGES = [["5 min", 300e3], ["1 h", 3600e3], ["6 h", 6 * 3600e3], ["1 d", 86_400e3], ["7 d", 7 * 86_400e3], ["30 d", 30 * 86_400e3], ["1 y", 365 * 86_400e3]];

export async function seriesView(root, name) {
  let one = await get(`series/${segment(name)}`);
  let alerts = [];
  let rows = { scores: [], readings: [], channels: one.channels, step: null };
  let range = null; // [from, to] in ms when looking at a fixed range; null follows the newest rows
  let span = ROWS_AT_FIRST * stride(one);
  const earlier = [];
  const charts = [];
  const channelCharts = new Map();

  const newest = () => (one.last_at ? ms(one.last_at) : Date.now()) + stride(one);
  const bounds = () => (range ? range : [newest() - span, newest()]);
  const ranges = () => alerts.map((alert) => [ms(alert.opened_at) / 1000, (alert.resolved_at ? ms(alert.resolved_at) : newest()) / 1000]);

  const badge = h("span");
  const facts = h("dl", { class: "facts" });
  const reason = h("p", { class: "soft" });
  const controls = h("div", { class: "row spread" });
  const shownRange = h("span", { class: "soft" });
  const failure = h("p", { class: "note bad", hidden: true });
  const channelsBox = h("section", { class: "card", "aria-labelledby": "channels" });
  const alertsBox = h("section", { class: "card", "aria-labelledby": "series-alerts" });
  const tableBox = h("details", { class: "card" }, h("summary", {}, "The newest rows as a table"));

  const common = { sync: "series", onZoom: zoom, bounds: () => bounds().map((at) => at / 1000), ranges };
  const scoreChart = new Chart({ ...common, label: "Live score and settled score", height: 220, fromZero: true, level: { value: 1, name: "notable" },
    series: [{ label: "live score", colour: "live", width: 1.8 }, { label: "settled score", colour: "settled" }] });
  // Scores may reach a hundred, evidence rarely passes 2: on one axis it could not be seen.
  const evidenceChart = new Chart({ ...common, label: "Evidence", height: 96, fromZero: true, level: { value: 1, name: "an alert opens" },
    series: [{ label: "evidence", colour: "evidence" }] });
  const memberChart = new Chart({ ...common, label: "Errors of autoencoder, PCA and trivial baseline", height: 170, fromZero: true,
    series: [{ label: "autoencoder", colour: "autoencoder" }, { label: "PCA", colour: "pca" }, { label: "trivial baseline", colour: "baseline", dash: [4, 3] }] });
  charts.push(scoreChart, evidenceChart, memberChart);

  function renderHead() {
    badge.replaceChildren(stateBadge(one.state));
    reason.textContent = why(one);
    facts.replaceChildren(
      fact("since", time(one.state_since)), fact("live score", number(one.live_score)), fact("evidence", number(one.evidence)),
      fact("rows", count(one.n_rows)), fact("row spacing", strideText(one)), fact("channels", String(one.channels.length)), fact("last row", time(one.last_at)),
      fact("model", one.model_id ? link(`#/models/${segment(one.model_id)}`, one.model_id.slice(0, 8)) : "none yet"));
  }

  function renderControls() {
    const known = one.last_at ? newest() - ms(one.first_at) : 0;
    const choices = RANGES.filter(([, length]) => length > 20 * stride(one) && length < 2 * known);
    const segments = h("div", { class: "segments", role: "group", "aria-label": "Length of time shown" },
      ...choices.map(([text, length]) => h("button", { type: "button", "aria-pressed": String(!range && Math.abs(span - length) < 1), onclick: () => { earlier.length = 0; range = null; span = length; refresh(); } }, text)),
      h("button", { type: "button", "aria-pressed": String(!range && span >= known), onclick: () => { earlier.length = 0; range = null; span = Math.max(known, 10 * stride(one)); refresh(); } }, "All"));
    controls.replaceChildren(segments,
      h("div", { class: "row" }, shownRange,
        earlier.length ? h("button", { type: "button", onclick: () => zoom(null) }, "Zoom out") : null,
        range ? h("button", { type: "button", onclick: () => { range = null; earlier.length = 0; refresh(); } }, "Follow the newest") : null));
    const [from, to] = bounds();
    shownRange.textContent = `${fullText(from)} – ${fullText(to)}${rows.step ? ` · one point is ${duration(rows.step)}, least and greatest kept` : ""}`;
    shownRange.title = `times in ${zone}`;
  }

  function zoom(from, to) {
    if (from === null) {
      const before = earlier.pop();
      if (before) [range, span] = before;
      else { range = null; span *= 3; }
    } else {
      const least = 4 * stride(one);
      if (to - from < least) [from, to] = [(from + to - least) / 2, (from + to + least) / 2];
      earlier.push([range, span]);
      range = [from, to];
    }
    refresh();
  }

  function renderChannels() {
    for (const channel of rows.channels) {
      if (channelCharts.has(channel)) continue;
      const chart = new ChannelChart(channel, { ...common, height: 120 });
      channelCharts.set(channel, chart);
      charts.push(chart);
      channelsBox.append(chart.element);
    }
    for (const [channel, chart] of channelCharts) chart.set(channelColumns(rows, channel));
  }

  function renderTable() {
    if (!tableBox.open) return;
    const body = rows.scores.slice(-20).reverse().map((row) => h("tr", {}, h("td", {}, time(row.at)), ...[row.live_score, row.settled_score, row.evidence, row.p_value].map((value) => h("td", { class: "num" }, number(value))), h("td", {}, row.top_channel ?? "–"), h("td", {}, row.is_anomalous ? "alert open" : "")));
    tableBox.replaceChildren(tableBox.firstChild, h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "The newest rows" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Time", "Live score", "Settled", "Evidence", "p-value", "Top channel", ""].map((text, i) => h("th", { scope: "col", class: i > 0 && i < 5 ? "num" : null }, text)))), h("tbody", {}, body))));
  }

  function render() {
    renderHead();
    renderControls();
    scoreChart.set(scoreColumns(rows));
    evidenceChart.set(evidenceColumns(rows));
    memberChart.set(memberColumns(rows));
    renderChannels();
    renderTable();
    alertsBox.replaceChildren(h("h2", { id: "series-alerts" }, "Alerts of this series"),
      alerts.length ? h("div", { class: "too-long", tabindex: "0", role: "group", "aria-label": "Alerts of this series" }, alerts.map((alert) => alertItem(alert, { withSeries: false }))) : h("p", { class: "soft" }, "None so far."));
  }

  let isLoading = false;
  let isWanted = false;
  async function refresh() {
    isWanted = true;
    if (isLoading) return;
    isLoading = true;
    while (isWanted) {
      isWanted = false;
      try {
        one = await get(`series/${segment(name)}`);
        [rows, alerts] = await Promise.all([loadRows(name, ...bounds(), stride(one)), all(`alerts?series=${segment(name)}&limit=200`)]);
        failure.hidden = true;
      } catch (error) {
        failure.textContent = error.message;
        failure.hidden = false;
      }
      if (root.isConnected) render();
    }
    isLoading = false;
  }

  channelsBox.append(h("div", { class: "chart-title" }, h("h2", { id: "channels" }, "Channels"), channelKey()));
  root.replaceChildren(
    h("div", { class: "row" }, h("h1", {}, name), badge), reason,
    h("section", { class: "card", "aria-label": "At a glance" }, facts),
    h("section", { class: "card", "aria-labelledby": "scores" }, h("h2", { id: "scores" }, "Scores"), controls, failure, scoreChart.element, evidenceChart.element,
      h("p", { class: "soft" }, "Shaded: an alert is open. Drag to zoom, double-click to go back; with the keyboard: arrows, + and −, 0.")),
    h("section", { class: "card", "aria-labelledby": "members" }, h("h2", { id: "members" }, "Autoencoder beside PCA beside the trivial baseline"), memberChart.element),
    channelsBox, alertsBox, tableBox);
  tableBox.addEventListener("toggle", renderTable);
  await refresh();

  let dueAt = null;
  live.listen({
    series: name, scores: true, onCatchUp: refresh,
    onEvent: (event, data) => {
      if (event === "transition") announce(`Alert ${data.transition} on ${name}`);
      if (event === "warm_up") {
        one.warm_up = { n_rows: data.n_rows, n_wanted: data.n_wanted, seconds_left: (data.n_wanted - data.n_rows) * stride(one) / 1000 };
        reason.textContent = why(one);
        return;
      }
      if (event === "settled" || (range && event === "score")) return;
      const wait = event === "score" ? (rows.step ? 5000 : 1000) : 0;
      dueAt = Math.min(dueAt ?? Infinity, performance.now() + wait);
    },
  });
  const ticker = setInterval(() => {
    if (dueAt !== null && performance.now() >= dueAt && !document.hidden) {
      dueAt = null;
      refresh();
    }
  }, 250);
  return {
    leave: () => { clearInterval(ticker); charts.forEach((chart) => chart.destroy()); },
    recolour: () => charts.forEach((chart) => chart.recolour()),
  };
}
