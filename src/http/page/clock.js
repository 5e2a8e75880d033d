// Times in the viewer's zone, UTC on hover.

import { h } from "./dom.js";

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });
const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const brief = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const ms = (text) => Date.parse(text);
export const iso = (time) => new Date(time).toISOString().replace(".000Z", "Z");

const AXIS = [
  [60e3, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }], [86_400e3, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }], [27 * 86_400e3, { day: "numeric", month: "short" }], [Infinity, { month: "short", year: "numeric" }],
].map(([step, form]) => [step, new Intl.DateTimeFormat(undefined, form)]);

// A label on a time axis whose labels are `step` apart: no more detail than tells them apart. Midnight shows its day.
export function axisText(at, step) {
  const date = new Date(at);
  const isMidnight = date.getHours() + date.getMinutes() + date.getSeconds() === 0;
  return AXIS.find(([least]) => step < (isMidnight && step < 86_400e3 ? Infinity : least) && (!isMidnight || least > 86_400e3))[1].format(date);
}

// The same moment in UTC: "2026-11-24 12:00:00 UTC".
export const utcText = (at) => `${new Date(at).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "")} UTC`;

// A moment as an element; days other than today carry their date.
export function time(text, isShort = false) {
  if (!text) return "–";
  const at = new Date(text);
  const isToday = at.toDateString() === new Date().toDateString();
  return h("time", { datetime: text, title: utcText(text) }, isToday ? short.format(at) : (isShort ? brief : full).format(at));
}

export const clockText = (at) => short.format(new Date(at));
export const fullText = (at) => full.format(new Date(at));

const UNITS = [["d", 86_400e3], ["h", 3600e3], ["min", 60e3], ["s", 1e3]];

// A length of time in at most two units.
export function duration(length) {
  if (!Number.isFinite(length)) return "–";
  if (length < 1000) return `${Math.round(length)} ms`;
  const parts = [];
  let rest = Math.round(length / 1000) * 1000;
  for (const [unit, size] of UNITS) {
    const n = Math.floor(rest / size);
    if (n > 0 && parts.length < 2) parts.push(`${n} ${unit}`);
    else if (parts.length) break;
    rest -= n * size;
  }
  return parts.join(" ");
}
