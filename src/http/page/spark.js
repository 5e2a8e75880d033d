// A small line of live scores, with the notable level dashed and what lies above it in the alarm colour.

import { svg } from "./dom.js";

const WIDTH = 150;
const HEIGHT = 34;

export function spark(points) {
  const out = svg("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  draw(out, points);
  return out;
}

export function draw(element, points) {
  const known = points.filter(([, score]) => Number.isFinite(score));
  if (known.length < 2) {
    element.setAttribute("aria-label", "no scores yet");
    element.replaceChildren();
    return;
  }
  const top = Math.max(1.5, ...known.map(([, score]) => score));
  const from = known[0][0];
  const span = Math.max(known.at(-1)[0] - from, 1);
  const x = (at) => ((at - from) / span) * WIDTH;
  const y = (score) => HEIGHT - 2 - (score / top) * (HEIGHT - 4);
  const all = known.map(([at, score], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(score).toFixed(1)}`).join("");
  let over = "";
  for (let i = 1; i < known.length; i++) {
    if (known[i][1] >= 1 || known[i - 1][1] >= 1) over += `M${x(known[i - 1][0]).toFixed(1)} ${y(known[i - 1][1]).toFixed(1)}L${x(known[i][0]).toFixed(1)} ${y(known[i][1]).toFixed(1)}`;
  }
  const last = known.at(-1)[1];
  element.setAttribute("aria-label", `live score, last ${last.toFixed(2)}, highest ${Math.max(...known.map(([, score]) => score)).toFixed(2)}; 1 is notable`);
  element.replaceChildren(
    svg("line", { x1: 0, x2: WIDTH, y1: y(1), y2: y(1) }),
    svg("path", { class: "line", d: all }),
    ...(over ? [svg("path", { class: "over", d: over })] : []),
  );
}
