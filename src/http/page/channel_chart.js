// One channel: what was observed, what was expected with its band, and the readings outside the band marked.

import { BAND_TEXT } from "./band.js";
import { Chart } from "./chart.js";
import { clockText } from "./clock.js";
import { h } from "./dom.js";
import { number } from "./words.js";

const LINES = [["observed", "observed"], ["held", "held or interpolated, not measured"], ["expected", "expected"], ["band", "expected band"], ["outside", "outside the band"], ["range", "least to greatest of a step"]];

// Says once for all channel charts of a view what their lines mean; `tellRows` leaves out what the rows do not have.
export const channelKey = () => h("span", { class: "key", title: BAND_TEXT }, LINES.map(([name, text]) => h("span", { class: `key-${name}` }, text)));

export function tellRows(key, { step, readings }) {
  key.classList.toggle("is-summed", step !== null);
  key.classList.toggle("has-held", readings.some((row) => row.measured?.some((isMeasured, i) => !isMeasured && row.values[i] !== null)));
}

export class ChannelChart {
  constructor(channel, options) {
    this.values = h("span", { class: "latest soft" });
    this.data = Array.from({ length: 9 }, () => []);
    this.chart = new Chart({
      ...options, label: `${channel}, observed and expected`, bands: [[5, 6, "band"], [3, 4, "range"]], onPoint: (index) => this.tell(index),
      series: [
        { label: "observed", colour: "observed", dotsIfFew: () => this.isSingle }, { label: "expected", colour: "expected", dash: [5, 3], width: 1.3 },
        { label: "greatest", colour: "range-edge", width: 0.8 }, { label: "least", colour: "range-edge", width: 0.8 },
        { label: "band, upper", colour: "band", width: 0 }, { label: "band, lower", colour: "band", width: 0 }, { label: "outside", colour: "outside", dots: true },
        { label: "held", colour: "held", dash: [3, 3], width: 1.8 },
      ],
    });
    this.element = h("div", { class: "channel", "data-channel": channel }, h("div", { class: "chart-title" }, h("h3", {}, channel), this.values), this.chart.element);
  }

  // The values under the cursor, or the newest.
  tell(index) {
    const [times, observed, expected, greatest, least, , , outside, held] = this.data;
    const at = index ?? times.length - 1;
    if (!(at >= 0) || at >= times.length) return;
    const parts = [
      observed[at] !== null ? `${number(observed[at], 4)} ${this.isSingle ? "observed" : "on average"}` : held[at] !== null ? `${number(held[at], 4)} held, not measured` : "missing",
      expected[at] === null ? null : `${number(expected[at], 4)} expected`,
      greatest[at] === null ? null : `${number(least[at], 4)} to ${number(greatest[at], 4)}`,
      outside[at] === null ? null : "outside the band",
    ];
    this.values.textContent = `${index === null ? "last" : clockText(1000 * times[at])}: ${parts.filter(Boolean).join(", ")}`;
  }

  // Columns as `channelColumns` makes them.
  set(data) {
    this.data = data;
    // Rows that are summed up have a greatest value.
    this.isSingle = data[3].every((value) => value === null);
    this.chart.set(data);
    this.tell(null);
  }

  recolour() { this.chart.recolour(); }
  destroy() { this.chart.destroy(); }
}
