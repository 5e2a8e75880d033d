// What a model would see: faults of known kind and size, put into clean rows of the series.

import { get, segment } from "./api.js";
import { time } from "./clock.js";
import { h, table } from "./dom.js";
import { count, number, percent, word } from "./words.js";

const KINDS = { spike: "spike of one row", shift: "shift", drift: "slow drift", noise: "noise", stuck: "stuck channel", swap: "two channels exchanged", warp: "runs at double speed" };

// A section for the model's page; a sentence where nothing has been measured.
export async function powerSection(id) {
  const title = h("h2", { id: "power" }, "What it would see");
  const section = (...children) => h("section", { class: "card", "aria-labelledby": "power" }, title, children);
  let power;
  try {
    power = await get(`models/${segment(id)}/power`);
  } catch (error) {
    if (error.status !== 404) return section(h("p", { class: "soft" }, error.message));
    return section(h("p", { class: "soft" }, "Not measured yet. It is measured after training, while nothing else is to be fitted: known faults are put into rows that the members have not learned from, and counted when they are seen."));
  }
  return section(
    h("p", { class: "soft" }, `Faults of known size were put into ${count(power.n_rows)} clean rows, the last of them from `, time(power.measured_to), "."),
    h("ul", { class: "sentences" }, power.sentences.map((sentence) => h("li", {}, sentence))),
    skill(power), members(power));
}

function skill({ model_skill, trained_gain }) {
  const parts = [
    model_skill === null ? null : `Skill against PCA alone: ${signed(model_skill)} in mean area under the curve${model_skill > 0 ? ", so the members together see more" : ", so PCA alone would do as well"}.`,
    trained_gain === null ? null : `The trained network adds ${signed(trained_gain)} to the members without it${trained_gain < 0 ? ": it does not help here" : ""}.`,
  ].filter(Boolean);
  return parts.length ? h("p", {}, h("strong", {}, parts.join(" "))) : null;
}

const signed = (value) => `${value < 0 ? "−" : "+"}${number(Math.abs(value), 2)}`;

// Fused beside each member alone.
function members({ faults, members }) {
  const key = (fault) => [fault.kind, fault.size, fault.rows].join("|");
  const byMember = members.map(({ member, faults }) => [member, new Map(faults.map((fault) => [key(fault), fault]))]);
  const name = (fault) => `${KINDS[fault.kind] ?? word(fault.kind)}${fault.size === null ? "" : `, ${number(fault.size, 2)} σ`}${fault.rows > 1 ? `, ${fault.rows} rows` : ""}`;
  const rows = faults.map((fault) => [name(fault), h("strong", {}, percent(fault.seen)), ...byMember.map(([, known]) => (known.has(key(fault)) ? percent(known.get(key(fault)).seen) : "–"))]);
  return h("details", {}, h("summary", {}, "By kind and size, all members together and each alone"),
    table(["Fault", "#All together", ...byMember.map(([member]) => `#${word(member)}`)], rows, { caption: "Share of faults seen", rowHeader: true }),
    h("p", { class: "soft" }, "σ: standard deviations of the channel. A fault is seen when the score reaches the notable level within it."));
}
