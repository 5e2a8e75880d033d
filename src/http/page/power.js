// What a model would see: faults of known kind and size, put into clean rows of the series.

import { get, segment } from "./api.js";
import { time } from "./clock.js";
import { h, table } from "./dom.js";
import { count, number, percent, signed, word } from "./words.js";

const KINDS = { spike: "spike of one row", shift: "shift", drift: "slow drift", noise: "noise", stuck: "stuck channel", swap: "two channels exchanged", warp: "runs at double speed" };

// A section for the model's page; a sentence where nothing has been measured.
export async function powerSection(model) {
  const title = h("h2", { id: "power" }, "What it would see");
  const section = (...children) => h("section", { class: "card", "aria-labelledby": "power" }, title, children);
  if (!model.power_measured_to) return section(h("p", { class: "soft" }, "Not measured yet. Known faults are put into rows that the members have not learned from, and counted when they are seen: after training on 800 rows or more, else in the night, on rows that came later."));
  let power;
  try {
    power = await get(`models/${segment(model.id)}/power`);
  } catch (error) {
    return section(h("p", { class: "soft" }, error.message));
  }
  return section(
    h("p", { class: "soft" }, `Faults of known size were put into ${count(power.n_rows)} clean rows, the last of them from `, time(power.measured_to), "."),
    skill(power), byChannel(power), members(power));
}

// A size counts as seen from this share of its draws on: 7 of 8.
const SEEN = 0.875;
const SIZED = [["spike", "Spike of one row"], ["shift", "Shift"], ["drift", "Slow drift"], ["noise", "Noise"]];

// One line a channel: the smallest fault of each kind that would have been seen. What no channel says stays as sentences.
function byChannel({ channels, sentences }) {
  const names = [...new Set(channels.map((power) => power.channel))];
  const rows = names.map((name) => [name, ...SIZED.map(([kind]) => smallest(channels.filter((power) => power.channel === name && power.kind === kind)))]);
  const others = sentences.slice(channels.length);
  return [
    names.length ? h("div", {}, h("h3", {}, "Would have seen, from this size on"), table(["Channel", ...SIZED.map(([, text]) => `#${text}`)], rows, { caption: "Smallest fault of each kind that would have been seen, by channel", rowHeader: true }),
      h("p", { class: "soft" }, "In the channel's own unit: the smallest size tried that was seen at least 7 times in 8.")) : null,
    others.length ? h("ul", { class: "sentences" }, others.map((sentence) => h("li", {}, sentence))) : null,
    names.length ? h("details", {}, h("summary", {}, "Every size tried, channel by channel"),
      table(["Channel", "Fault", "#Rows it lasts", "#Probability to see it"], channels.map((power) => [power.channel, `${sizeText(power)} ${KINDS[power.kind] ?? word(power.kind)}`, count(power.rows), meter(power.seen)]), { caption: "Faults by channel, and how probably they are seen", rowHeader: true })) : null,
  ].filter(Boolean);
}

const sizeText = ({ size, unit }) => `${number(size, 2)}${unit ? ` ${unit}` : ""}`;

function smallest(tried) {
  const [first] = tried.filter((power) => power.seen >= SEEN).sort((a, b) => a.size - b.size);
  if (first) return `${sizeText(first)}${first.rows > 1 ? ` for ${first.rows} rows` : ""}`;
  const largest = tried.toSorted((a, b) => b.size - a.size)[0];
  return largest ? h("span", { class: "soft" }, `beyond ${sizeText(largest)}`) : "–";
}

// A probability as a number beside a bar of its length.
const meter = (seen) => h("span", { class: "share" }, h("span", { class: "bar", style: `width: ${(4 * seen).toFixed(2)}rem` }), percent(seen));

function skill({ model_skill, trained_gain }) {
  const parts = [
    model_skill === null ? null : `Skill against PCA alone: ${signed(model_skill)} in mean area under the curve: ${tells(model_skill, "the members together see more", "PCA alone sees more", "PCA alone would do as well")}.`,
    trained_gain === null ? null : `Against the members without the trained network: ${signed(trained_gain)}; ${tells(trained_gain, "it helps here", "it does not help here", "it makes little difference here")}.`,
  ].filter(Boolean);
  return parts.length ? h("p", {}, h("strong", {}, parts.join(" "))) : null;
}

// Differences below a hundredth are within what the draws of faults explain.
const tells = (value, above, below, between) => (value >= 0.01 ? above : value <= -0.01 ? below : between);

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
