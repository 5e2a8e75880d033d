// Every series, worst first.

import { all, get, query, segment } from "./api.js";
import { iso, ms, time } from "./clock.js";
import { announce, command, fill, h, link } from "./dom.js";
import { alertItem } from "./alerts.js";
import * as live from "./live.js";
import { countOpen } from "./open_count.js";
import { stride } from "./rows.js";
import { draw, spark } from "./spark.js";
import { STATES, count, number, stateBadge, why, word } from "./words.js";

const ROWS_SHOWN = 100;
const SPARK_ROWS = 120;
// Up to this many series every score is streamed and the list is read again every few seconds. Beyond it states and
// alerts are streamed, the scores of the rows in sight are read every few seconds, and the list every minute.
const LIVE_MAX = 200;
const REFRESH_MS = 5000;
const LARGE_REFRESH_MS = 60_000;
const SIGHT_MAX = 24;

const trouble = (one) => STATES.indexOf(one.state) * 1e6 - Math.min(one.evidence ?? 0, 1e3) * 100 - Math.min(one.live_score ?? 0, 1e3);

export async function fleetView(root) {
  let series = [];
  let byName = new Map();
  let shownRows = ROWS_SHOWN;
  let only = null;
  let wanted = "";
  const points = new Map();
  const rows = new Map();
  const dirty = new Set();
  const inSight = new Set();

  const heading = h("h1", { "data-title": "Fleet" }, "Fleet");
  const filters = h("div", { class: "row", role: "group", "aria-label": "Show only" });
  const search = h("input", { type: "search", placeholder: "Find a series", "aria-label": "Find a series", oninput: () => { wanted = search.value.toLowerCase(); render(); } });
  const openAlerts = h("section", { class: "card", "aria-labelledby": "open-alerts" });
  const body = h("tbody");
  const table = h("table", { class: "fleet" }, h("caption", { class: "visually-hidden" }, "Series, those in trouble first"),
    h("thead", {}, h("tr", {}, ...["State", "Series", "Live score, lately", "Score", "Evidence", "Last row", "Why"].map((name, i) => h("th", { scope: "col", class: i === 3 || i === 4 ? "num" : null }, name)))), body);
  const more = h("button", { type: "button", onclick: () => { shownRows += ROWS_SHOWN; render(); } });
  const list = h("section", { class: "card", "aria-label": "All series" }, h("div", { class: "row spread" }, filters, search), table, more);

  async function load() {
    series = await all("series?limit=10000");
    byName = new Map(series.map((one) => [one.series, one]));
    if (!root.isConnected) return;
    if (series.length === 0) return showEmpty();
    if (!list.isConnected) root.replaceChildren(heading, openAlerts, list);
    render();
    await loadAlerts();
  }

  async function loadAlerts() {
    const open = (await get("alerts?state=open&limit=20")).data;
    const blind = ["no_data", "model_stale"].map((state) => [state, series.filter((one) => one.state === state).length]).filter(([, n]) => n > 0);
    const title = open.length ? "Somebody should look" : blind.length ? "No alert is open" : "Nothing needs attention";
    fill(openAlerts, h("h2", { id: "open-alerts" }, title),
      open.length ? h("div", {}, open.slice(0, 8).map((alert) => alertItem(alert))) : null,
      blind.length ? h("p", {}, `Not watched just now: ${blind.map(([state, n]) => `${count(n)} series with ${state === "no_data" ? "no data" : "a stale model"}`).join(", ")}.`) : null,
      h("p", { class: "soft" }, open.length ? null : blind.length ? "" : "No alert is open. ", link("#/alerts", open.length > 8 ? "All open alerts" : open.length ? "All alerts" : "Earlier alerts")));
  }

  async function showEmpty() {
    const health = await get("health").catch(() => null);
    const about = health?.about;
    const broker = health?.readiness.checks.find((check) => check.name === "broker");
    root.replaceChildren(heading, h("section", { class: "card empty" },
      h("h2", {}, "No series yet"),
      h("p", {}, "A series appears with its first reading", about?.broker ? ` on ${about.broker}` : "", about?.topics.length ? ", on topics like " : ".", ...(about?.topics ?? []).flatMap((topic, i) => [i ? " or " : "", h("code", {}, topic)]), about?.topics.length ? "." : ""),
      broker && !broker.is_ok ? h("p", { class: "note bad" }, `The broker is not reached: ${broker.detail}`) : null,
      about?.example_command ? [h("p", {}, "Send one from a terminal on this machine:"), command(about.example_command), h("p", { class: "soft" }, "Send it again with other values, one a second: the first verdict comes after 50 rows.")] : null));
  }

  function render() {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (const one of series) counts[one.state]++;
    heading.textContent = `Fleet: ${count(series.length)} series`;
    filters.replaceChildren(...[null, ...STATES].filter((state) => state === null || counts[state] > 0 || only === state).map((state) =>
      h("button", { type: "button", "aria-pressed": String(only === state), onclick: () => { only = state; shownRows = ROWS_SHOWN; render(); } },
        state === null ? `all ${count(series.length)}` : `${word(state)} ${count(counts[state])}`)));
    const found = series.filter((one) => (only === null || one.state === only) && one.series.toLowerCase().includes(wanted)).map((one) => [trouble(one), one])
      .sort(([a, one], [b, other]) => a - b || (one.series < other.series ? -1 : 1)).map(([, one]) => one);
    const part = found.slice(0, shownRows);
    const elements = part.map(row);
    // Moving a row takes the keyboard's focus away, so rows that stand right are not touched.
    if (elements.length !== body.children.length || elements.some((element, i) => element !== body.children[i])) body.replaceChildren(...elements);
    if (found.length === 0) body.replaceChildren(h("tr", {}, h("td", { colspan: "7", class: "soft" }, "No series matches.")));
    more.hidden = found.length <= shownRows;
    more.textContent = `Show ${count(Math.min(ROWS_SHOWN, found.length - shownRows))} more of ${count(found.length)}`;
  }

  // A thin bar that is full at 1; the number stands beside it.
  const meter = (share, isBad) => h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: isBad ? "full" : null, style: `width: ${100 * Math.min(Math.max(share, 0), 1)}%` }));

  // Rows are kept, so that a refresh neither flickers nor loses the keyboard's place.
  function row(one) {
    let known = rows.get(one.series);
    if (!known) {
      known = { chart: spark([]), cells: {} };
      for (const name of ["state", "score", "evidence", "last", "why"]) known.cells[name] = h("td", { class: name === "score" || name === "evidence" ? `num ${name}-cell` : `${name}-cell` });
      known.element = h("tr", {}, known.cells.state, h("td", { class: "name" }, link(`#/series/${segment(one.series)}`, one.series)), h("td", { class: "spark-cell" }, known.chart),
        known.cells.score, known.cells.evidence, known.cells.last, known.cells.why);
      rows.set(one.series, known);
      sparkWhenSeen.observe(known.element);
      known.element.dataset.series = one.series;
    }
    fillRow(known, one);
    return known.element;
  }

  function fillRow(row, one) {
    const { cells } = row;
    const key = [one.state, why(one), one.live_score, one.evidence, one.last_at].join("|");
    if (cells.state.dataset.key === key) return;
    cells.state.dataset.key = key;
    cells.state.replaceChildren(stateBadge(one.state));
    cells.score.replaceChildren(h("span", { class: one.live_score >= 1 ? "score-high" : null, title: "1.0 is the notable level" }, number(one.live_score, 2)));
    fill(cells.evidence, h("span", { class: one.evidence >= 1 ? "score-high" : null, title: "an alert opens at 1.0" }, number(one.evidence, 2)), one.evidence === null ? null : meter(one.evidence, one.evidence >= 1));
    cells.last.replaceChildren(time(one.last_at));
    const progress = one.state === "warming_up" ? one.warm_up : null;
    fill(cells.why, why(one), progress ? meter(progress.n_rows / progress.n_wanted, false) : null);
    row.element.classList.toggle("is-unjudged", one.live_score === null);
  }

  const sparkWhenSeen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const name = entry.target.dataset.series;
      if (entry.isIntersecting) inSight.add(name);
      else inSight.delete(name);
      if (entry.isIntersecting && !points.has(name)) loadSpark(name);
    }
  }, { rootMargin: "200px" });

  async function loadSpark(name) {
    const one = byName.get(name);
    if (!one?.last_at || one.n_rows < 2) return;
    points.set(name, []);
    const start = iso(Math.max(0, ms(one.last_at) - SPARK_ROWS * stride(one)));
    try {
      const scores = await get(`series/${segment(name)}/scores${query({ start, limit: 4 * SPARK_ROWS })}`);
      points.set(name, scores.data.map((score) => [ms(score.at), score.live_score]));
      draw(rows.get(name).chart, points.get(name));
    } catch {
      points.delete(name);
    }
  }

  function onEvent(name, event) {
    const one = byName.get(event.series ?? event.alert?.series);
    if (name === "transition" || name === "alert_changed") {
      loadAlerts().catch(() => {});
      countOpen();
      if (name === "transition") announce(`Alert ${event.transition} on ${event.alert.series}`);
    }
    if (!one) {
      if (name === "state" && !reload) reload = setTimeout(() => { reload = null; load().catch(() => {}); }, 1000);
      return;
    }
    if (name === "state") Object.assign(one, { state: event.state, reason: event.reason, state_since: event.at });
    if (name === "warm_up") one.warm_up = { n_rows: event.n_rows, n_wanted: event.n_wanted, seconds_left: (event.n_wanted - event.n_rows) * stride(one) / 1000 };
    if (name === "score") onScore(one, event.at, event.live_score, event.evidence);
    dirty.add(one.series);
  }

  function onScore(one, at, live_score, evidence) {
    const known = points.get(one.series);
    if (known && at !== one.last_at && live_score !== null) {
      known.push([ms(at), live_score]);
      if (known.length > 4 * SPARK_ROWS) known.splice(0, known.length - 4 * SPARK_ROWS);
    }
    Object.assign(one, { live_score, evidence, last_at: at });
  }

  // Reads the rows in sight again, for a fleet too large to stream every score of.
  async function refreshSight() {
    await Promise.all([...inSight].slice(0, SIGHT_MAX).map(async (name) => {
      const one = byName.get(name);
      const now = await get(`series/${segment(name)}`).catch(() => null);
      if (!one || !now) return;
      onScore(one, now.last_at, now.live_score, now.evidence);
      Object.assign(one, now);
      dirty.add(name);
    }));
  }

  function repaint() {
    if (dirty.size === 0 || document.hidden) return;
    const isMoved = [...dirty].some((name) => rows.get(name)?.element.dataset.state !== byName.get(name)?.state);
    for (const name of dirty) {
      const known = rows.get(name);
      const one = byName.get(name);
      if (!known || !one) continue;
      known.element.dataset.state = one.state;
      fillRow(known, one);
      if (points.has(name)) draw(known.chart, points.get(name));
    }
    dirty.clear();
    // Order changes only with a state: a list that shuffles with every score cannot be read or clicked.
    if (isMoved && !body.contains(document.activeElement)) render();
  }

  let reload = null;
  await load();
  const isStreamed = series.length <= LIVE_MAX;
  live.listen({ scores: isStreamed, onEvent, onCatchUp: () => { points.clear(); load().then(() => { for (const name of rows.keys()) loadSpark(name); }).catch(() => {}); } });
  const painter = setInterval(repaint, 700);
  let loadedAt = performance.now();
  const refresher = setInterval(() => {
    if (document.hidden) return;
    const isDue = performance.now() - loadedAt >= (isStreamed ? REFRESH_MS : LARGE_REFRESH_MS);
    if (isDue && (!isStreamed || series.length === 0 || series.some((one) => one.state !== "normal"))) {
      loadedAt = performance.now();
      load().catch(() => {});
    } else if (!isStreamed) {
      refreshSight();
    }
  }, REFRESH_MS);
  return { leave: () => { clearInterval(painter); clearInterval(refresher); clearTimeout(reload); sparkWhenSeen.disconnect(); } };
}
