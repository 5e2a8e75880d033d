// One channel: what was observed, what was expected, and the gap between them shaded.

import { Chart } from "./chart.js";
import { clockText } from "./clock.js";
import { h } from "./dom.js";
import { number } from "./words.js";

// Says once for all channel charts of a view what their lines mean.
export const channelKey = () => h("span", { class: "key" }, h("span", { class: "key-observed" }, "observed"), h("span", { class: "key-expected" }, "expected"), h("span", { class: "key-gap" }, "the gap between"));

export class ChannelChart {
  constructor(channel, options) {
    this.values = h("span", { class: "latest soft" });
    this.data = [[], [], [], [], []];
    this.chart = new Chart({
      ...options, label: `${channel}, observed and expected`, bands: [[3, 4, "band"], [1, 2, "gap"]], onPoint: (index) => this.tell(index),
      series: [{ label: "observed", colour: "observed" }, { label: "expected", colour: "expected", dash: [5, 3] }, { label: "greatest", colour: "band", width: 0 }, { label: "least", colour: "band", width: 0 }],
    });
    this.element = h("div", { class: "channel" }, h("div", { class: "chart-title" }, h("h3", {}, channel), this.values), this.chart.element);
  }

  // The values under the cursor, or the newest.
  tell(index) {
    const [times, observed, expected, greatest, least] = this.data;
    const at = index ?? times.length - 1;
    if (!(at >= 0) || at >= times.length) return;
    const parts = [
      observed[at] === null ? "missing" : `${number(observed[at], 4)} observed`,
      expected[at] === null ? null : `${number(expected[at], 4)} expected`,
      greatest[at] === null ? null : `${number(least[at], 4)} to ${number(greatest[at], 4)}`,
    ];
    this.values.textContent = `${index === null ? "" : `${clockText(1000 * times[at])}: `}${parts.filter(Boolean).join(", ")}`;
  }

  set(data) {
    this.data = data;
    this.chart.set(data);
    this.tell(null);
  }

  recolour() { this.chart.recolour(); }
  destroy() { this.chart.destroy(); }
}
