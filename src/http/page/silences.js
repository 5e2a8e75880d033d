// Silences: alerts that tell nobody for a while. They are stored and shown all the same.

import { del, get, post, segment } from "./api.js";
import { authorField } from "./author.js";
import { duration, ms, time, zone } from "./clock.js";
import { h } from "./dom.js";
import { word } from "./words.js";

const LENGTHS = [["1 hour", 3600e3], ["4 hours", 4 * 3600e3], ["8 hours", 8 * 3600e3], ["1 day", 86_400e3], ["1 week", 7 * 86_400e3], ["30 days", 30 * 86_400e3], ["1 year", 365 * 86_400e3]];
const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

export const silences = () => get("silences").then((page) => page.data);
export const endSilence = (id) => del(`silences/${segment(id)}`);

// What a silence holds, in words.
export function matcherText({ name, value, isRegex, isEqual }) {
  const verb = isRegex ? (isEqual ? "matches" : "does not match") : isEqual ? "is" : "is not";
  return `${name === "kind" || name === "severity" ? `${name} ${verb} ${word(value)}` : `${name} ${verb} ${value}`}`;
}

function scheduleText({ weekdays, startTime, endTime, location }) {
  const days = weekdays.length === 0 || weekdays.length === 7 ? "every day" : weekdays.map((day) => day.slice(0, 3)).join(", ");
  return `${days} ${startTime} to ${endTime}, ${location} time`;
}

// One silence in a list, with a button that ends it.
export function silenceItem(silence, onEnd) {
  const isPending = silence.status.state === "pending";
  const left = ms(isPending ? silence.startsAt : silence.endsAt) - Date.now();
  const end = h("button", { type: "button", "aria-label": `End it: the silence of ${silence.matchers.map(matcherText).join(", ")}`, onclick: () => onEnd(silence) }, "End it");
  return h("div", { class: "silence", "data-silence": silence.id }, h("div", {},
    h("div", { class: "row" }, h("strong", {}, silence.matchers.map(matcherText).join(" and ")), h("span", { class: `state ${silence.status.inForce ? "warming_up" : "no_data"}` }, silence.status.inForce ? "silent now" : isPending ? "not begun" : "outside its window now")),
    h("div", { class: "soft" }, isPending ? ["begins ", time(silence.startsAt), `, in ${duration(left)}`] : ["until ", time(silence.endsAt), `, ${duration(left)} more`], silence.schedule ? `; only ${scheduleText(silence.schedule)}` : ""),
    silence.comment || silence.createdBy ? h("div", { class: "soft" }, [silence.comment, silence.createdBy ? `(${silence.createdBy})` : null].filter(Boolean).join(" ")) : null), end);
}

// What may be silenced from where somebody stands, narrowest first.
function scopes(alert) {
  if (!alert) return [];
  const equal = (name, value) => ({ name, value, isRegex: false, isEqual: true });
  const first = alert.channels?.[0]?.channel;
  const site = alert.series.includes("/") ? alert.series.slice(0, alert.series.lastIndexOf("/") + 1) : null;
  const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return [
    [`every alert of ${alert.series}`, [equal("series", alert.series)]],
    first ? [`alerts of ${alert.series} that blame ${first}`, [equal("series", alert.series), equal("channel", first)]] : null,
    alert.kind ? [`alerts of ${alert.series} of the kind “${word(alert.kind)}”`, [equal("series", alert.series), equal("kind", alert.kind)]] : null,
    site ? [`every alert below ${site}`, [{ name: "series", value: `${escaped(site)}.*`, isRegex: true, isEqual: true }]] : null,
  ].filter(Boolean);
}

const field = (label, control) => h("label", { class: "field" }, h("span", {}, label), control);

// Asks for a silence; `alert` may be an alert, or a series as `{ series }`, or null for any matcher. Calls `onDone`.
export function askSilence(alert, onDone) {
  const dialog = document.getElementById("dialog");
  const choices = scopes(alert);
  const what = h("select", { name: "what" }, choices.map(([text], i) => h("option", { value: i }, text)));
  const pattern = h("input", { type: "text", name: "pattern", required: choices.length === 0, placeholder: "hall-1/.*", maxlength: "500", spellcheck: "false" });
  const length = h("select", { name: "length" }, LENGTHS.map(([text, value]) => h("option", { value }, text)));
  const repeats = h("input", { type: "checkbox", name: "repeats" });
  const [from, to] = [["22:00", "From"], ["06:00", "To"]].map(([value, name]) => h("input", { type: "time", value, "aria-label": name }));
  const days = DAYS.map((day) => h("input", { type: "checkbox", value: day, "aria-label": day }));
  const window = h("div", { class: "field", hidden: true }, h("span", {}, `Only between (${zone} time)`), h("div", { class: "row" }, from, "and", to),
    h("div", { class: "row" }, days.map((box, i) => h("label", { class: "day" }, box, `${DAYS[i][0].toUpperCase()}${DAYS[i].slice(1, 3)}`))), h("span", { class: "soft" }, "No day chosen: every day."));
  repeats.addEventListener("change", () => {
    window.hidden = !repeats.checked;
    // Windows come again for longer than an hour.
    if (repeats.checked && Number(length.value) < 7 * 86_400e3) length.value = String(30 * 86_400e3);
  });
  const author = authorField();
  const comment = h("input", { type: "text", name: "comment", maxlength: "2000", placeholder: "bearing is being changed" });
  const failure = h("p", { class: "note bad", role: "alert", hidden: true });
  const form = h("form", {}, h("h2", { id: "dialog-title" }, "Silence"),
    h("p", { class: "soft" }, "Nobody is told while it lasts. Alerts are still found, stored and shown here."),
    choices.length ? field("What", what) : field("Series, as a regular expression", h("div", { class: "field" }, pattern, h("span", { class: "soft" }, "hall-1/.* is every series below hall-1/; a name alone is that one."))),
    field("For how long, from now", length), h("label", { class: "day" }, repeats, "Only at certain times (maintenance windows)"), window,
    field("Why", comment), author.element, failure,
    h("div", { class: "row" }, h("button", { class: "primary" }, "Silence"), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const createdBy = author.name();
    const matchers = choices.length ? choices[Number(what.value)][1] : [{ name: "series", value: pattern.value, isRegex: true, isEqual: true }];
    const schedule = repeats.checked ? { weekdays: days.filter((box) => box.checked).map((box) => box.value), startTime: from.value, endTime: to.value, location: zone } : null;
    try {
      const silence = await post("silences", { matchers, endsAt: new Date(Date.now() + Number(length.value)).toISOString(), schedule, createdBy, comment: comment.value.trim() });
      dialog.close();
      onDone(silence);
    } catch (error) {
      failure.textContent = error.message;
      failure.hidden = false;
    }
  });
  dialog.onclose = null;
  dialog.replaceChildren(form);
  dialog.showModal();
}
