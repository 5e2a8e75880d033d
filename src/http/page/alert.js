// One alert: what, when, how sure, which channels, before and after, and what a person may do about it.

import { all, get, post, query, segment } from "./api.js";
import { alertItem, labelText } from "./alerts.js";
import { ChannelChart, channelKey } from "./channel_chart.js";
import { Chart } from "./chart.js";
import { duration, ms, time } from "./clock.js";
import { announce, fact, h, link } from "./dom.js";
import * as live from "./live.js";
import { channelColumns, evidenceColumns, loadRows, scoreColumns, stride } from "./rows.js";
import { howSure, number, percent, sentence, stateBadge, word } from "./words.js";

const ROWS_AROUND = 120;
const CHANNELS_CHARTED = 3;

export async function alertView(root, id) {
  let alert = await get(`alerts/${segment(id)}`);
  let one = await get(`series/${segment(alert.series)}`);
  let rows = { scores: [], readings: [], channels: [], step: null };
  let others = [];
  const charts = [];

  const heading = h("h1", {});
  const badges = h("span", { class: "row" });
  const facts = h("dl", { class: "facts" });
  const actions = h("div", { class: "row actions", role: "group", "aria-label": "What you can do" });
  const done = h("p", { class: "soft", role: "status" });
  const channels = h("section", { class: "card", "aria-labelledby": "blame" });
  const chartsBox = h("section", { class: "card", "aria-labelledby": "around" }, h("div", { class: "chart-title" }, h("h2", { id: "around" }, "Before, during and after"), channelKey()));
  const history = h("section", { class: "card", "aria-labelledby": "history" });

  const until = () => (alert.resolved_at ? ms(alert.resolved_at) : one.last_at ? ms(one.last_at) : ms(alert.opened_at));
  const bounds = () => {
    const around = ROWS_AROUND * stride(one);
    return [ms(alert.opened_at) - around, Math.max(until(), ms(alert.opened_at)) + around / 3];
  };
  const common = { sync: "alert", bounds: () => bounds().map((at) => at / 1000), ranges: () => [[ms(alert.opened_at) / 1000, until() / 1000]] };
  const scoreChart = new Chart({ ...common, label: "Live score and settled score around the alert", height: 180, fromZero: true, level: { value: 1, name: "notable" },
    series: [{ label: "live score", colour: "live", width: 1.8 }, { label: "settled score", colour: "settled" }] });
  // Scores may reach a hundred, evidence rarely passes 2: on one axis it could not be seen.
  const evidenceChart = new Chart({ ...common, label: "Evidence", height: 96, fromZero: true, level: { value: 1, name: "an alert opens" },
    series: [{ label: "evidence", colour: "evidence" }] });
  charts.push(scoreChart, evidenceChart);
  chartsBox.append(scoreChart.element, evidenceChart.element);
  const channelCharts = new Map();

  function render() {
    heading.textContent = `${alert.series}: ${sentence(alert)}`;
    badges.replaceChildren(stateBadge(alert.state), stateBadge(alert.severity), h("span", { class: "soft" }, word(alert.kind)));
    const length = until() - ms(alert.opened_at);
    facts.replaceChildren(
      fact("opened", time(alert.opened_at)), fact(alert.resolved_at ? "resolved" : "open for", alert.resolved_at ? [time(alert.resolved_at), ` (after ${duration(length)})`] : duration(length)),
      fact("highest live score", `${number(alert.peak_score)} × notable`), fact("p-value", `${number(alert.p_value, 2)}`), fact("how sure", howSure(alert.p_value) || "–"),
      fact("evidence", number(alert.evidence)), fact("alarm budget", alert.alarm_budget || "–"),
      fact("series", link(`#/series/${segment(alert.series)}`, alert.series)),
      fact("model", alert.model_id ? link(`#/models/${segment(alert.model_id)}`, alert.model_id.slice(0, 8)) : "none needed"));
    renderActions();
    renderBlame();
    scoreChart.set(scoreColumns(rows));
    evidenceChart.set(evidenceColumns(rows));
    for (const [channel, chart] of channelCharts) chart.set(channelColumns(rows, channel));
    renderHistory();
  }

  function renderActions() {
    const label = labelText(alert);
    actions.replaceChildren(
      alert.acknowledged_at
        ? h("span", { class: "soft" }, "Acknowledged ", time(alert.acknowledged_at))
        : h("button", { type: "button", class: "primary", onclick: () => act("Acknowledged.", () => post(`alerts/${segment(id)}/acknowledge`)) }, "Acknowledge"),
      ...(label
        ? [h("span", {}, `Labelled: ${label}`), h("button", { type: "button", onclick: () => act("Label taken back.", () => post(`alerts/${segment(id)}/label`, { label: null })) }, "Undo label")]
        : [h("button", { type: "button", onclick: () => askLabel(true) }, "It was right"), h("button", { type: "button", onclick: () => askLabel(false) }, "False alarm…")]));
  }

  async function act(text, request) {
    const focused = document.activeElement?.textContent;
    try {
      alert = await request();
      done.textContent = text;
    } catch (error) {
      done.textContent = `Not done: ${error.message}`;
    }
    renderActions();
    if (focused) (actions.querySelector("button") ?? heading).focus();
  }

  // Asks before a label is applied, and says what it would have changed.
  async function askLabel(label) {
    const dialog = document.getElementById("dialog");
    const note = h("textarea", { id: "label-note", maxlength: "2000" });
    const preview = h("div", { class: "body" }, h("p", { class: "soft" }, "Looking at earlier alerts…"));
    const apply = h("button", { class: "primary", value: "apply" }, label ? "It was right" : "Label as false alarm");
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, label ? "It was right" : "It was a false alarm"), preview,
      h("label", { for: "label-note" }, "Note (for whoever looks next)"), note,
      h("div", { class: "row" }, apply, h("button", { value: "cancel" }, "Cancel"))));
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "apply") act(label ? "Labelled as a true alert." : "Labelled as a false alarm.", () => post(`alerts/${segment(id)}/label`, { label, note: note.value.trim() || null }));
    };
    dialog.showModal();
    try {
      const found = await get(`alerts/${segment(id)}/label/preview${query({ label })}`);
      const list = (alerts) => h("ul", {}, alerts.map((other) => h("li", {}, time(other.opened_at), ` ${sentence(other)}`)));
      preview.replaceChildren(h("p", {}, found.summary),
        found.would_vanish.length ? h("div", {}, h("strong", {}, `Would not have opened: ${found.would_vanish.length}`), list(found.would_vanish)) : "",
        found.would_be_lost.length ? h("div", { class: "note bad" }, h("strong", {}, `Confirmed alerts that would be lost: ${found.would_be_lost.length}`), list(found.would_be_lost)) : "");
    } catch (error) {
      preview.replaceChildren(h("p", { class: "soft" }, `There is no preview: ${error.message}`));
    }
  }

  function renderBlame() {
    const greatest = Math.max(...alert.channels.map((part) => part.contribution), 1e-9);
    channels.replaceChildren(h("h2", { id: "blame" }, "Channels, most to blame first"),
      alert.channels.length ? h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Channels, most to blame first" }, h("table", {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Channel"), h("th", { scope: "col" }, "Share"), ...["Observed", "Expected", "Difference"].map((text) => h("th", { scope: "col", class: "num" }, text)))),
        h("tbody", {}, alert.channels.map((part, i) => h("tr", {}, h("th", { scope: "row" }, part.channel),
          h("td", { class: "bar-cell nowrap" }, h("span", { class: i === 0 ? "bar first" : "bar", style: `width: ${(60 * part.contribution) / greatest}%` }), ` ${percent(part.contribution)}`),
          h("td", { class: "num" }, number(part.observed, 4)), h("td", { class: "num" }, number(part.expected, 4)),
          h("td", { class: "num" }, part.observed !== null && part.expected !== null ? `${part.observed >= part.expected ? "+" : ""}${number(part.observed - part.expected, 3)}` : "–")))))) : h("p", { class: "soft" }, "No channel is named."));
  }

  function renderHistory() {
    history.replaceChildren(h("h2", { id: "history" }, "Other alerts of this machine"),
      others.length ? h("div", { class: "too-long", tabindex: "0", role: "group", "aria-label": "Other alerts" }, others.map((other) => alertItem(other, { withSeries: false }))) : h("p", { class: "soft" }, "None so far."));
  }

  async function refresh() {
    alert = await get(`alerts/${segment(id)}`);
    one = await get(`series/${segment(alert.series)}`);
    [rows, others] = await Promise.all([loadRows(alert.series, ...bounds(), stride(one)), all(`alerts?series=${segment(alert.series)}&limit=200`)]);
    others = others.filter((other) => other.id !== id);
    for (const { channel } of alert.channels.slice(0, CHANNELS_CHARTED)) {
      if (channelCharts.has(channel)) continue;
      const chart = new ChannelChart(channel, { ...common, height: 130 });
      channelCharts.set(channel, chart);
      charts.push(chart);
      chartsBox.append(chart.element);
    }
    if (root.isConnected) render();
  }

  root.replaceChildren(h("div", {}, heading, badges), h("section", { class: "card", "aria-label": "At a glance" }, facts, actions, done), channels, chartsBox, history);
  await refresh();
  let dueAt = null;
  live.listen({
    series: alert.series, scores: true, onCatchUp: () => refresh().catch(() => {}),
    onEvent: (name, data) => {
      if (name === "transition" && data.alert.id === id) announce(`This alert is ${data.transition}`);
      const isOver = alert.resolved_at && one.last_at && ms(one.last_at) > bounds()[1];
      if (name === "score" && isOver) return;
      dueAt = Math.min(dueAt ?? Infinity, performance.now() + (name === "score" ? 2000 : 100));
    },
  });
  const ticker = setInterval(() => {
    if (dueAt !== null && performance.now() >= dueAt && !document.hidden) {
      dueAt = null;
      refresh().catch(() => {});
    }
  }, 250);
  return {
    leave: () => { clearInterval(ticker); document.getElementById("dialog").close(); charts.forEach((chart) => chart.destroy()); },
    recolour: () => charts.forEach((chart) => chart.recolour()),
  };
}
