// What the same machine did in other alerts, set against the one on screen.

import { segment } from "./api.js";
import { labelText } from "./alerts.js";
import { duration, ms, time } from "./clock.js";
import { h, link, table } from "./dom.js";
import { count, number, percent, word } from "./words.js";

const ROWS = 30;

// The others as a sentence and a table, newest first.
export function historyOf(alert, others) {
  if (others.length === 0) return h("p", { class: "soft" }, "None so far: this is the first alert of this machine.");
  const first = alert.channels[0]?.channel;
  const alike = others.filter((other) => other.kind === alert.kind && first && other.channels[0]?.channel === first);
  const right = alike.filter((other) => other.label === true).length;
  const wrong = alike.filter((other) => other.label === false).length;
  const labelled = [right ? `${right} confirmed` : null, wrong ? `${wrong} false ${wrong === 1 ? "alarm" : "alarms"}` : null].filter(Boolean).join(", ");
  const sentence = alike.length
    ? `${first} was most to blame in ${of(alike.length, others.length)}${labelled ? ` (${labelled})` : alike.length === 1 ? ", which nobody has labelled" : ", none of them labelled"}.`
    : `${first ?? "The same channel"} was most to blame in ${others.length === 1 ? "no other alert" : `none of the other ${count(others.length)}`}.`;
  const cells = (other) => [
    link(`#/alerts/${segment(other.id)}`, time(other.opened_at)),
    other.resolved_at ? duration(ms(other.resolved_at) - ms(other.opened_at)) : "open",
    other.kind === "anomaly" ? blame(other, first) : [word(other.kind), ": ", blame(other, first)],
    number(other.peak_score), labelText(other) ?? (other.acknowledged_at ? "acknowledged" : "–"),
  ];
  return h("div", { class: "history" }, h("p", {}, sentence),
    table(["Opened", "Lasted", "To blame", "#Highest score", "Label"], others.slice(0, ROWS).map(cells), { caption: "Other alerts of this machine" }),
    others.length > ROWS ? h("p", { class: "soft" }, `The newest ${ROWS} of ${count(others.length)}.`) : null);
}

const of = (n, all) => (all === 1 ? "the other one, too" : n === all ? `all the other ${count(all)}` : `${count(n)} of the other ${count(all)}`);

// The two channels most to blame; the one that is to blame on screen too stands out.
function blame(alert, first) {
  return alert.channels.slice(0, 2).flatMap((part, i) => [i ? ", " : "", h(part.channel === first ? "strong" : "span", {}, part.channel), ` ${percent(part.contribution)}`]);
}
