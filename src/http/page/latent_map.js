// A map of what windows become between encoder and decoder: the two directions in which they differ most.

import { get, query, segment } from "./api.js";
import { iso, ms, time } from "./clock.js";
import { h, svg } from "./dom.js";
import { count, number } from "./words.js";

const POINTS = 600;
const WIDTH = 640;
const HEIGHT = 360;
const ROUNDS = 60;

// The newest latents of a series that one model has made, as an element; a sentence where none are kept.
export async function latentMap(name, from, to) {
  const page = await get(`series/${segment(name)}/latents${query({ start: iso(Math.max(0, from)), end: iso(to + 1), limit: 20_000 })}`);
  const rows = thin(page.data.filter((row) => row.latent.every(Number.isFinite)));
  if (rows.length < 3) return h("p", { class: "soft" }, "No latents are kept for this series. With ", h("code", {}, "keep_latents = true"), " in its section of the configuration, every judged window leaves one.");
  const scores = await get(`series/${segment(name)}/scores${query({ start: rows[0].time, end: iso(ms(rows.at(-1).time) + 1), limit: 100_000 })}`);
  const scoreAt = new Map(scores.data.map((row) => [row.at, row.live_score]));
  const plane = project(rows.map((row) => row.latent));
  return h("div", {}, draw(rows, plane, scoreAt),
    h("div", { class: "key" }, h("span", { class: "key-dot quiet" }, "score below 1"), h("span", { class: "key-dot high" }, "1 and above, notable")),
    h("p", { class: "soft" }, `${count(rows.length)} windows, `, time(rows[0].time), " to ", time(rows.at(-1).time), `. Windows that lie close were alike to the network; the two axes hold ${number(100 * plane.share, 2)} % of what tells them apart.`));
}

function thin(rows) {
  const step = Math.max(1, Math.ceil(rows.length / POINTS));
  return rows.filter((_, i) => i % step === 0 || i === rows.length - 1);
}

// Coordinates along the two leading principal directions of `points`, [N, Z], by power iteration with deflation.
export function project(points) {
  const size = points[0].length;
  const mean = Array.from({ length: size }, (_, j) => points.reduce((sum, point) => sum + point[j], 0) / points.length);
  let rest = points.map((point) => point.map((value, j) => value - mean[j]));
  const energy = (list) => list.reduce((sum, point) => sum + point.reduce((part, value) => part + value * value, 0), 0);
  const whole = energy(rest);
  const coordinates = [];
  for (let axis = 0; axis < 2; axis++) {
    let direction = Array.from({ length: size }, (_, j) => 1 + 0.1 * j);
    for (let round = 0; round < ROUNDS; round++) {
      const along = rest.map((point) => point.reduce((sum, value, j) => sum + value * direction[j], 0));
      const next = direction.map((_, j) => rest.reduce((sum, point, i) => sum + point[j] * along[i], 0));
      const length = Math.hypot(...next);
      if (!(length > 0)) break;
      direction = next.map((value) => value / length);
    }
    const along = rest.map((point) => point.reduce((sum, value, j) => sum + value * direction[j], 0));
    rest = rest.map((point, i) => point.map((value, j) => value - along[i] * direction[j]));
    coordinates.push(along);
  }
  return { x: coordinates[0], y: coordinates[1], share: whole > 0 ? 1 - energy(rest) / whole : 1 };
}

function draw(rows, { x, y }, scoreAt) {
  const scale = (values, size) => {
    const [least, greatest] = [Math.min(...values), Math.max(...values)];
    return (value) => 12 + ((value - least) / (greatest - least || 1)) * (size - 24);
  };
  const [left, up] = [scale(x, WIDTH), scale(y, HEIGHT)];
  const dots = rows.map((row, i) => [scoreAt.get(row.time) ?? 0, svg("circle", { cx: left(x[i]).toFixed(1), cy: (HEIGHT - up(y[i])).toFixed(1), r: 3, class: (scoreAt.get(row.time) ?? 0) >= 1 ? "high" : "quiet" })]);
  // Notable ones last, so that they lie on top.
  return svg("svg", { class: "latent-map", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Map of ${rows.length} windows, ${dots.filter(([score]) => score >= 1).length} of them notable` }, ...dots.sort(([a], [b]) => a - b).map(([, dot]) => dot));
}
