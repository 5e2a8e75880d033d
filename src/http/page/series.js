// One series: scores, members, channels with what was expected, alerts as ranges.

import { all, get, segment } from "./api.js";
import { alertItem } from "./alerts.js";
import { BAND_TEXT, bandWidths } from "./band.js";
import { ChannelChart, channelKey, tellRows } from "./channel_chart.js";
import { duration, fullText, ms, time, utcText, zone } from "./clock.js";
import { announce, fact, fill, h, link, table } from "./dom.js";
import * as live from "./live.js";
import { channelColumns, evidenceColumns, loadRows, memberColumns, scoreColumns, stride, strideText } from "./rows.js";
import { showShifts } from "./shifts.js";
import { evidenceChart as newEvidenceChart, memberChart as newMemberChart, scoreChart as newScoreChart } from "./score_charts.js";
import { count, number, stateBadge, why, word } from "./words.js";

const ROWS_AT_FIRST = 400;
const RANGES = [["5 min", 300e3], ["1 h", 3600e3], ["6 h", 6 * 3600e3], ["1 d", 86_400e3], ["7 d", 7 * 86_400e3], ["30 d", 30 * 86_400e3], ["1 y", 365 * 86_400e3]];

// A range that the address names, `from=…&to=…` in ms; null when it names none.
function askedRange(parameters) {
  const [from, to] = ["from", "to"].map((key) => Number(new URLSearchParams(parameters ?? "").get(key)));
  return from > 0 && to > from ? [from, to] : null;
}

// The alarm budget: asked for, promised so far and what came.
function budgetFacts(budget) {
  if (!budget) return [];
  const kept = `${count(budget.n_openings)} ${budget.n_openings === 1 ? "opening" : "openings"} in ${count(budget.n_judged)} rows, ${number(budget.n_promised, 2)} false ones allowed`;
  return [fact(`alarm budget: ${budget.alarm_budget}`, kept, budget.explanation ? h("div", { class: "soft" }, budget.explanation) : "")];
}

export async function seriesView(root, name, parameters) {
  let one = await get(`series/${segment(name)}`);
  let alerts = [];
  let rows = { scores: [], readings: [], channels: one.channels, step: null };
  let widths = new Map();
  let widthsOf = null;
  let range = askedRange(parameters); // [from, to] in ms when looking at a fixed range; null follows the newest rows
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
  const shiftsBox = h("section", { class: "card", "aria-labelledby": "shifts", hidden: true });
  const tableBox = h("details", { class: "card" }, h("summary", {}, "The newest rows shown, as a table"));

  const common = { sync: "series", onZoom: zoom, bounds: () => bounds().map((at) => at / 1000), ranges };
  const scoreChart = newScoreChart({ ...common, height: 200 });
  const evidenceChart = newEvidenceChart(common);
  const memberChart = newMemberChart(common);
  charts.push(scoreChart, evidenceChart, memberChart);

  function renderHead() {
    badge.replaceChildren(stateBadge(one.state));
    reason.textContent = why(one);
    facts.replaceChildren(
      fact("live score (1 is notable)", number(one.live_score)), fact("evidence (an alert opens at 1)", number(one.evidence)), fact(`${word(one.state)} since`, time(one.state_since)),
      fact("last row", time(one.last_at)), fact("rows", `${count(one.n_rows)}, one every ${strideText(one)}`),
      ...budgetFacts(one.budget),
      fact("judged by", one.model_id ? link(`#/models/${segment(one.model_id)}`, `model ${one.model_id.slice(0, 8)}`) : "no model yet"));
  }

  function renderControls() {
    const known = one.last_at ? newest() - ms(one.first_at) : 0;
    const choices = RANGES.filter(([, length]) => length > 20 * stride(one) && length < 2 * known);
    const segments = h("div", { class: "segments", role: "group", "aria-label": "Length of time shown" },
      ...choices.map(([text, length]) => h("button", { type: "button", "aria-pressed": String(!range && Math.abs(span - length) < 1), onclick: () => { earlier.length = 0; range = null; span = length; refresh(); } }, text)),
      h("button", { type: "button", "aria-pressed": String(!range && span >= known), onclick: () => { earlier.length = 0; range = null; span = Math.max(known, 10 * stride(one)); refresh(); } }, "All"));
    const [from, to] = bounds();
    const tenth = (to - from) / 4;
    const move = (text, label, a, b, isUseless = false) => h("button", { type: "button", "aria-label": label, title: label, disabled: isUseless, onclick: () => zoom(from + a * tenth, to + b * tenth) }, text);
    const moves = h("div", { class: "segments", role: "group", "aria-label": "Move and zoom" },
      move("◀", "Earlier", -1, -1, from <= ms(one.first_at)), move("−", "Wider", -2, 2, to - from > 2 * known), move("+", "Closer", 1, -1, to - from <= 4 * stride(one)), move("▶", "Later", 1, 1, to >= newest()));
    const focused = document.activeElement?.ariaLabel ?? document.activeElement?.textContent;
    const hadFocus = controls.contains(document.activeElement);
    fill(controls, h("div", { class: "row" }, segments, moves,
      earlier.length ? h("button", { type: "button", onclick: () => zoom(null) }, "Zoom out") : null,
      range ? h("button", { type: "button", class: "primary", onclick: () => { range = null; earlier.length = 0; refresh(); } }, "Follow the newest") : null), shownRange);
    if (hadFocus) [...controls.querySelectorAll("button")].find((button) => (button.ariaLabel ?? button.textContent) === focused)?.focus();
    shownRange.textContent = `${fullText(from)} – ${fullText(to)}${rows.step ? ` · one point is ${duration(rows.step)}, least and greatest kept` : ""}`;
    shownRange.title = `${utcText(from)} – ${utcText(to)}; shown in ${zone}`;
    // The address names a fixed range, so that what is on screen can be sent to a colleague.
    const address = `#/series/${segment(name)}${range ? `?from=${Math.round(from)}&to=${Math.round(to)}` : ""}`;
    if (root.isConnected && location.hash !== address) history.replaceState(null, "", address);
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
    for (const [channel, chart] of channelCharts) chart.set(channelColumns(rows, channel, widths));
    tellRows(key, rows);
    const isKnown = rows.scores.some((row) => row.expected);
    bandNote.textContent = rows.step && !isKnown ? `Zoom in to see what was expected; here one point is ${duration(rows.step)}.`
      : widths.size ? `Expected band: from the last 1,000 rows without an alert; ${BAND_TEXT}.` : "The band around what was expected appears once a hundred rows have been judged.";
  }

  function renderTable() {
    if (!tableBox.open) return;
    const cells = (row) => [time(row.at), number(row.live_score), number(row.settled_score), number(row.evidence), number(row.p_value), row.top_channel ?? "–", row.is_anomalous ? "open" : "–"];
    tableBox.replaceChildren(tableBox.firstChild, table(["Time", "#Live score", "#Settled", "#Evidence", "#p-value", "Top channel", "Alert"], rows.scores.slice(-20).reverse().map(cells), { caption: "The newest rows shown" }));
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
        if (one.model_id !== widthsOf) {
          widthsOf = one.model_id;
          bandWidths(name, bounds()[1], stride(one)).then((found) => { widths = found; if (root.isConnected) render(); }).catch(() => { widthsOf = null; });
        }
        failure.hidden = true;
      } catch (error) {
        failure.textContent = error.message;
        failure.hidden = false;
      }
      if (root.isConnected) render();
    }
    isLoading = false;
  }

  const key = channelKey();
  const bandNote = h("p", { class: "soft" });
  channelsBox.append(h("div", { class: "chart-title" }, h("h2", { id: "channels" }, "Channels: observed and expected"), key), bandNote);
  root.replaceChildren(
    h("div", { class: "row" }, h("h1", {}, name), badge), reason,
    h("section", { class: "card", "aria-label": "At a glance" }, facts),
    h("section", { class: "card", "aria-labelledby": "scores" }, h("h2", { id: "scores" }, "Scores"), controls, failure, scoreChart.element, evidenceChart.element,
      h("p", { class: "soft" }, "Shaded: an alert was open. Drag across a chart to zoom, double-click to go back; on a focused chart: arrow keys, + and −, 0.")),
    channelsBox,
    h("section", { class: "card", "aria-labelledby": "members" }, h("h2", { id: "members" }, "Autoencoder beside PCA beside the trivial baseline"),
      h("p", { class: "soft" }, "How badly each one rebuilds the row (mean squared residual, in units of each channel's ordinary spread). The score is fused from these and the other members."), memberChart.element),
    alertsBox, shiftsBox, tableBox);

  tableBox.addEventListener("toggle", renderTable);
  await Promise.all([refresh(), showShifts(shiftsBox, name).catch(() => {})]);

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
