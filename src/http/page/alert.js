// One alert: what, when, how sure, which channels, before and after, and what a person may do about it.

import { all, get, post, query, segment } from "./api.js";
import { alertItem, labelText } from "./alerts.js";
import { authorField } from "./author.js";
import { bandWidths } from "./band.js";
import { ChannelChart, channelKey, tellRows } from "./channel_chart.js";
import { duration, ms, time } from "./clock.js";
import { announce, fact, fill, h, link, table } from "./dom.js";
import { historyOf } from "./history.js";
import * as live from "./live.js";
import { channelColumns, evidenceColumns, loadRows, scoreColumns, stride } from "./rows.js";
import { evidenceChart as newEvidenceChart, scoreChart as newScoreChart } from "./score_charts.js";
import { askSilence, endSilence } from "./silences.js";
import { difference, howSure, number, percent, sentence, stateBadge, word } from "./words.js";

// For somebody who sees such an alert for the first time.
const WHAT_BUTTONS_DO = [
  ["Acknowledge", "I have seen it. The alert stays open until the machine is back to normal."],
  ["It was right, False alarm", "teaches Kilter. You see what a false alarm would change before anything changes, and can undo it."],
  ["Silence", "tell nobody for a while, because the machine is being worked on."],
];

const ROWS_AROUND = 120;
const CHANNELS_CHARTED = 3;

// What happened, when, and how sure, in words.
function leadOf(alert, length) {
  const [first] = alert.channels;
  const off = first ? difference(first) : null;
  const what = {
    anomaly: first && off ? [h("strong", {}, first.channel), ` read ${number(first.observed, 4)} where ${number(first.expected, 4)} would be normal: ${off}. It carries ${percent(first.contribution)} of the score.`] : ["The machine as a whole does not run as it was learned."],
    stuck: ["A reading that always moves has stood still. The sensor, its cable or its gateway may have failed; the machine itself may be fine."],
    silent: ["Readings have stopped, measured against the channel's own rhythm. The machine may be off, or the way to the broker cut."],
    out_of_range: ["A value crossed the physical limit that was configured for it. Limits are kept by rule; no model is needed."],
  }[alert.kind] ?? [];
  const sure = alert.kind === "anomaly" && alert.p_value > 0 ? h("p", {}, h("strong", {}, "How sure: "), `in healthy running, ${howSure(alert.p_value)}.`) : null;
  const when = h("p", {}, h("strong", {}, alert.resolved_at ? "When: " : "Since: "), time(alert.opened_at), alert.resolved_at ? [" to ", time(alert.resolved_at), ` (after ${duration(length)})`] : `, for ${duration(length)} now`, ".");
  return [h("p", {}, what), when, sure].filter(Boolean);
}

export async function alertView(root, id) {
  let alert = await get(`alerts/${segment(id)}`);
  let one = await get(`series/${segment(alert.series)}`);
  let rows = { scores: [], readings: [], channels: [], step: null };
  let others = [];
  let widths = null;
  let n_charted = CHANNELS_CHARTED;
  const charts = [];

  const heading = h("h1", {});
  const badges = h("span", { class: "row" });
  const lead = h("div", { class: "lead" });
  const facts = h("dl", { class: "facts" });
  const actions = h("div", { class: "row actions", role: "group", "aria-label": "What you can do" });
  const done = h("p", { class: "soft", role: "status" });
  const channels = h("section", { class: "card", "aria-labelledby": "blame" });
  const key = channelKey();
  const chartsBox = h("section", { class: "card", "aria-labelledby": "around" }, h("div", { class: "chart-title" }, h("h2", { id: "around" }, "Before, during and after"), key));
  const moreCharts = h("div", { class: "row" });
  const incident = h("section", { class: "card", "aria-labelledby": "incident", hidden: true });
  const checked = h("p", { class: "soft", role: "status" });
  const checkButton = h("button", { type: "button", onclick: check }, "Compute the score again");
  const closer = h("a", { class: "button" }, "Look closer in the series view");
  const history = h("section", { class: "card", "aria-labelledby": "history" });

  const until = () => (alert.resolved_at ? ms(alert.resolved_at) : one.last_at ? ms(one.last_at) : ms(alert.opened_at));
  const bounds = () => {
    const around = ROWS_AROUND * stride(one);
    return [ms(alert.opened_at) - around, Math.max(until(), ms(alert.opened_at)) + around / 3];
  };
  const common = { sync: "alert", bounds: () => bounds().map((at) => at / 1000), ranges: () => [[ms(alert.opened_at) / 1000, until() / 1000]] };
  const scoreChart = newScoreChart({ ...common, height: 160 });
  const evidenceChart = newEvidenceChart(common);
  charts.push(scoreChart, evidenceChart);
  const scoresBox = h("div", { class: "channel" }, h("h3", {}, "Scores of the whole machine"), scoreChart.element, evidenceChart.element);
  chartsBox.append(scoresBox, moreCharts);
  const channelCharts = new Map();

  function render() {
    heading.textContent = sentence(alert);
    heading.dataset.title = `${alert.series}: ${sentence(alert)}`;
    badges.replaceChildren(stateBadge(alert.state === "open" ? alert.severity : "resolved", alert.state === "open" ? `open, ${word(alert.severity)}` : "resolved"), h("span", { class: "soft" }, word(alert.kind)), ...(alert.silenced_by?.length ? [h("span", { class: "state no_data" }, "silenced")] : []));
    const length = until() - ms(alert.opened_at);
    lead.replaceChildren(...leadOf(alert, length));
    facts.replaceChildren(
      fact("opened", time(alert.opened_at)), fact(alert.resolved_at ? "resolved" : "open for", alert.resolved_at ? [time(alert.resolved_at), ` (after ${duration(length)})`] : duration(length)),
      fact("highest live score", `${number(alert.peak_score)} (1 is notable)`), fact("evidence", `${number(alert.evidence)} (opens at 1)`), fact("p-value", number(alert.p_value, 2)), fact("severity", word(alert.severity)), ...(alert.openings > 1 ? [fact("came back", `${alert.openings - 1} ${alert.openings === 2 ? "time" : "times"}, folded into this alert`)] : []),
      fact("alarm budget", alert.alarm_budget || "–"),
      fact("judged by", alert.model_id ? link(`#/models/${segment(alert.model_id)}`, `model ${alert.model_id.slice(0, 8)}`) : "a rule, no model"));
    const [from, to] = bounds();
    closer.href = `#/series/${segment(alert.series)}?from=${Math.round(from)}&to=${Math.round(to)}`;
    renderActions();
    renderBlame();
    tellRows(key, rows);
    scoreChart.set(scoreColumns(rows));
    evidenceChart.set(evidenceColumns(rows));
    for (const [channel, chart] of channelCharts) chart.set(channelColumns(rows, channel, widths ?? undefined));
    history.replaceChildren(h("h2", { id: "history" }, `What ${alert.series} did in other alerts`), historyOf(alert, others));
  }

  // Charts of the channels most to blame, all of them once asked for.
  function chartChannels() {
    for (const { channel } of alert.channels.slice(0, n_charted)) {
      if (channelCharts.has(channel)) continue;
      const chart = new ChannelChart(channel, { ...common, height: 130 });
      channelCharts.set(channel, chart);
      charts.push(chart);
      scoresBox.before(chart.element);
    }
    const n_more = alert.channels.length - n_charted;
    const more = n_more > 0 ? h("button", { type: "button", onclick: () => { n_charted = Infinity; chartChannels(); render(); } }, n_more === 1 ? "Show the other channel" : `Show the other ${n_more} channels`) : "";
    moreCharts.replaceChildren(more, closer);
  }

  function renderActions() {
    const label = labelText(alert);
    // Buttons that say the same stay where they are, under the finger that is about to press one.
    const key = [alert.acknowledged_at, label, alert.note, alert.silenced_by?.join()].join("|");
    if (actions.dataset.key === key) return;
    actions.dataset.key = key;
    fill(actions, 
      alert.acknowledged_at
        ? h("span", { class: "soft" }, "Acknowledged ", time(alert.acknowledged_at))
        : h("button", { type: "button", class: "primary", onclick: () => act("Acknowledged.", () => post(`alerts/${segment(id)}/acknowledge`)) }, "Acknowledge"),
      ...(label
        ? [h("span", {}, `Labelled: ${label}`, h("span", { class: "soft" }, alert.labelled_by ? ` by ${alert.labelled_by}` : null, alert.note ? ` “${alert.note}”` : null)), h("button", { type: "button", onclick: () => act("Label taken back.", () => post(`alerts/${segment(id)}/label`, { label: null })) }, "Undo label")]
        : [h("button", { type: "button", onclick: () => askLabel(true) }, "It was right"), h("button", { type: "button", onclick: () => askLabel(false) }, "False alarm…")]),
      alert.silenced_by?.length
        ? h("button", { type: "button", onclick: () => act("The silence is over.", () => Promise.all(alert.silenced_by.map(endSilence)).then(reread)) }, "End silence")
        : h("button", { type: "button", onclick: () => askSilence(alert, () => act("Silenced.", reread)) }, "Silence…"));
  }

  const reread = () => get(`alerts/${segment(id)}`);

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

  // Applies a label. One that somebody else has set meanwhile is not overwritten unasked.
  async function applyLabel(body) {
    let stands = false;
    await act(body.label ? "Labelled as a true alert." : "Labelled as a false alarm.", async () => {
      try {
        return await post(`alerts/${segment(id)}/label`, body);
      } catch (error) {
        if (error.status !== 409) throw error;
        stands = true;
        alert = await reread();
        throw new Error(`it was labelled “${labelText(alert)}” meanwhile.`);
      }
    });
    if (stands) askReplace(body);
  }

  // Two people disagree: says what the other one said, and lets this one decide.
  function askReplace(body) {
    const dialog = document.getElementById("dialog");
    const name = (value) => `“${labelText({ label: value })}”`;
    const same = alert.label === body.label;
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, "Somebody was here before you"),
      h("p", {}, h("strong", {}, alert.labelled_by || "Somebody who gave no name"), ` labelled this alert ${name(alert.label)}`, alert.labelled_at ? [" at ", time(alert.labelled_at)] : null, alert.note ? `: “${alert.note}”` : null, "."),
      h("p", {}, same ? "Your label is the same; only your note would take the place of theirs." : `You say it was a ${labelText(body)}. One label stands on an alert; what a label taught the judge goes with it.`),
      h("div", { class: "row" }, h("button", { class: "primary", value: "keep" }, "Leave it as it is"), h("button", { value: "replace" }, `Replace it with ${name(body.label)}`))));
    dialog.returnValue = "";
    dialog.onclose = () => { if (dialog.returnValue === "replace") applyLabel({ ...body, replace: true }); };
    dialog.showModal();
  }

  // Asks before a label is applied, and says what it would have changed.
  async function askLabel(label) {
    const dialog = document.getElementById("dialog");
    const note = h("textarea", { id: "label-note", maxlength: "2000" });
    const author = authorField();
    const preview = h("div", { class: "body" }, h("p", { class: "soft" }, "Looking at earlier alerts…"));
    const apply = h("button", { class: "primary", value: "apply" }, label ? "It was right" : "Label as false alarm");
    dialog.replaceChildren(h("form", { method: "dialog" },
      h("h2", { id: "dialog-title" }, label ? "It was right" : "It was a false alarm"), preview,
      h("label", { for: "label-note" }, "Note (for whoever looks next)"), note, author.element,
      h("div", { class: "row" }, apply, h("button", { value: "cancel" }, "Cancel"))));
    dialog.returnValue = "";
    dialog.onclose = () => {
      if (dialog.returnValue === "apply") applyLabel({ label, note: note.value.trim() || null, author: author.name() || null });
    };
    dialog.showModal();
    try {
      const found = await get(`alerts/${segment(id)}/label/preview${query({ label })}`);
      const list = (alerts) => h("ul", {}, alerts.map((other) => h("li", {}, time(other.opened_at), ` ${sentence(other)}`)));
      preview.replaceChildren(h("p", {}, found.summary),
        found.would_vanish.length ? h("div", {}, h("strong", {}, `Would not have opened: ${found.would_vanish.length}`), list(found.would_vanish)) : "",
        found.would_come_back?.length ? h("div", {}, h("strong", {}, `Would open again: ${found.would_come_back.length}`), list(found.would_come_back)) : "",
        found.would_be_lost.length ? h("div", { class: "note bad" }, h("strong", {}, `Confirmed alerts that would be lost: ${found.would_be_lost.length}`), list(found.would_be_lost)) : "");
    } catch (error) {
      preview.replaceChildren(h("p", { class: "soft" }, `There is no preview: ${error.message}`));
    }
  }

  function renderBlame() {
    const greatest = Math.max(...alert.channels.map((part) => part.contribution), 1e-9);
    const cells = (part, i) => [
      h("span", { class: "blame" }, h("span", { class: "blame-name" }, part.channel), h("span", { class: "share" }, h("span", { class: i === 0 ? "bar first" : "bar", style: `width: ${(4.5 * part.contribution) / greatest}rem` }), h("span", {}, percent(part.contribution)))),
      part.observed === null ? "missing" : number(part.observed, 4), number(part.expected, 4),
      part.observed !== null && part.expected !== null ? `${part.observed >= part.expected ? "+" : "−"}${number(Math.abs(part.observed - part.expected), 3)}` : "–"];
    channels.replaceChildren(h("h2", { id: "blame" }, "Channels, most to blame first"),
      ...(alert.channels.length ? [table(["Channel and share", "#Observed", "#Expected", "#Difference"], alert.channels.map(cells), { caption: "Channels, most to blame first", rowHeader: true, stacks: false }),
        h("p", { class: "soft" }, "Share: how much of the score is owed to the channel. Values at the worst row of the alert so far, in the sender's own unit.")] : [h("p", { class: "soft" }, "No channel is named.")]));
  }

  // Alerts of the same site that overlap this one in time.
  async function renderIncident() {
    const day = 86_400e3;
    const range = { start: new Date(ms(alert.opened_at) - 7 * day).toISOString(), end: new Date(until() + 1).toISOString(), limit: 1000 };
    const found = (await get(`incidents${query(range)}`)).data.find((one) => one.members.some((member) => member.id === id));
    const others = (found?.members ?? []).filter((member) => member.id !== id && member.series !== alert.series);
    incident.hidden = others.length === 0;
    if (others.length) incident.replaceChildren(h("h2", { id: "incident" }, `At the same time${found.site ? ` at ${found.site}` : ""}: one incident, ${others.length + 1} alerts`), h("div", { class: "too-long", tabindex: "0", role: "group", "aria-label": "Alerts of the same incident" }, others.map((other) => alertItem(other))));
  }

  // Computes every score around the alert again and says whether it equals what was stored.
  async function check() {
    checked.textContent = "Computing every score again from the stored rows, model and calibration…";
    try {
      const found = await get(`alerts/${segment(id)}/explanation`);
      const equal = found.n_rebuilt === 0 ? "No score could be computed again." : found.is_equal ? `All ${found.n_rebuilt} scores computed again equal the stored ones, to the last bit.` : `${found.n_equal} of ${found.n_rebuilt} scores computed again equal the stored ones to the last bit; the largest difference is ${number(found.difference_max)}.`;
      fill(checked, [equal, ...found.notes].join(" "), " ", h("a", { href: `/api/v1/alerts/${segment(id)}/explanation` }, "Row by row, as JSON"));
    } catch (error) {
      checked.textContent = `Not done: ${error.message}`;
    }
  }

  async function refresh() {
    alert = await get(`alerts/${segment(id)}`);
    one = await get(`series/${segment(alert.series)}`);
    [rows, others] = await Promise.all([loadRows(alert.series, ...bounds(), stride(one)), all(`alerts?series=${segment(alert.series)}&limit=200`)]);
    others = others.filter((other) => other.id !== id);
    widths ??= await bandWidths(alert.series, ms(alert.opened_at), stride(one)).catch(() => null);
    chartChannels();
    if (root.isConnected) render();
    await renderIncident();
  }

  root.replaceChildren(
    h("div", { class: "heading" }, link(`#/series/${segment(alert.series)}`, alert.series), heading, badges),
    h("section", { class: "card", "aria-label": "At a glance" }, lead, actions, h("ul", { class: "soft sentences" }, WHAT_BUTTONS_DO.map(([name, text]) => h("li", {}, h("strong", {}, name), `: ${text}`))), done, h("details", {}, h("summary", {}, "Numbers behind it"), facts, h("div", { class: "row" }, checkButton), checked)), incident, channels, chartsBox, history);
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
