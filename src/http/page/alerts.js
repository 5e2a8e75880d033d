// Alerts, newest first.

import { get, segment } from "./api.js";
import { duration, ms, time } from "./clock.js";
import { announce, h, link } from "./dom.js";
import * as live from "./live.js";
import { countOpen } from "./open_count.js";
import { askSilence, endSilence, silenceItem, silences } from "./silences.js";
import { howSure, number, sentence, stateBadge } from "./words.js";

export const labelText = (alert) => ({ true: "true alert", false: "false alarm" })[String(alert.label)] ?? null;

// One alert in a list.
export function alertItem(alert, { withSeries = true } = {}) {
  const length = alert.resolved_at ? duration(ms(alert.resolved_at) - ms(alert.opened_at)) : null;
  const marks = [alert.openings > 1 ? `opened ${alert.openings} times` : null, alert.silenced_by?.length ? "silenced" : null, alert.acknowledged_at ? "acknowledged" : null, labelText(alert)].filter(Boolean).join(", ");
  return h("div", { class: "alert-item", "data-alert": alert.id },
    stateBadge(alert.state === "open" ? alert.severity : "resolved", alert.state === "open" ? alert.severity : "resolved"),
    h("span", { class: "what" }, link(`#/alerts/${segment(alert.id)}`, withSeries ? `${alert.series}: ${sentence(alert)}` : sentence(alert))),
    h("span", { class: "when" }, time(alert.opened_at, true), length ? ` · ${length}` : ""),
    h("span", { class: "detail" }, alert.kind === "anomaly" ? `score ${number(alert.peak_score)} × notable · ${howSure(alert.p_value)}` : "", marks ? ` · ${marks}` : ""));
}

export async function alertsView(root) {
  let state = null;
  let shown = [];
  let next = null;
  const heading = h("h1", {}, "Alerts");
  const segments = h("div", { class: "segments", role: "group", "aria-label": "Which alerts" });
  const list = h("div");
  const more = h("button", { type: "button", onclick: () => load(true).catch(fail) }, "Show earlier ones");
  const fail = (error) => { list.prepend(h("p", { class: "note bad" }, error.message)); };

  async function load(append = false) {
    const page = await get(append && next ? next.replace("/api/v1/", "") : `alerts?limit=50${state ? `&state=${state}` : ""}`);
    shown = append ? [...shown, ...page.data] : page.data;
    next = page.next;
    more.hidden = !next;
    list.replaceChildren(...(shown.length ? shown.map((alert) => alertItem(alert)) : [
      h("p", { class: "soft" }, state === "open" ? "No alert is open." : "No alert yet. An alert opens when enough evidence has gathered on a series; until then the fleet view shows how each one is doing."),
    ]));
  }

  function renderSegments() {
    segments.replaceChildren(...[[null, "All"], ["open", "Open"], ["resolved", "Resolved"]].map(([value, text]) =>
      h("button", { type: "button", "aria-pressed": String(state === value), onclick: () => { state = value; renderSegments(); load().catch(fail); } }, text)));
  }

  const silenced = h("section", { class: "card", "aria-labelledby": "silences" });
  async function loadSilences() {
    const found = await silences();
    const changed = () => Promise.all([loadSilences(), load()]).catch(fail);
    silenced.replaceChildren(h("div", { class: "row spread" }, h("h2", { id: "silences" }, "Silences"), h("button", { type: "button", onclick: () => askSilence(null, changed) }, "New silence…")),
      found.length ? h("div", {}, found.map((silence) => silenceItem(silence, () => endSilence(silence.id).then(changed, fail))))
        : h("p", { class: "soft" }, "Nothing is silenced. Silence a machine while it is being worked on, from one of its alerts or here: nobody is told, and everything is still found and stored."));
  }

  renderSegments();
  await Promise.all([load(), loadSilences()]);
  root.replaceChildren(h("div", { class: "row spread" }, heading, segments), silenced, h("section", { class: "card", "aria-label": "Alerts" }, list, more));
  live.listen({
    onEvent: (name, event) => {
      if (name !== "transition" && name !== "alert_changed") return;
      if (name === "transition") announce(`Alert ${event.transition} on ${event.alert.series}`);
      load().catch(() => {});
      countOpen();
    },
    onCatchUp: () => Promise.all([load(), loadSilences()]).catch(() => {}),
  });
  return { leave: () => document.getElementById("dialog").close() };
}
