// uPlot charts in the page's colours, with zoom by drag, keys and gaps shown as gaps.

import { h } from "./dom.js";
import { number } from "./words.js";
import { axisText, fullText } from "./clock.js";

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Puts a row of nulls wherever rows are missing, so that no line is drawn across the hole. `rows` are [seconds, …].
export function withGaps(rows) {
  if (rows.length < 3) return rows;
  const steps = rows.slice(1).map((row, i) => row[0] - rows[i][0]).sort((a, b) => a - b);
  const longest = 2.5 * steps[Math.floor(steps.length / 2)];
  const out = [rows[0]];
  for (let i = 1; i < rows.length; i++) {
    if (rows[i][0] - rows[i - 1][0] > longest) {
      out.push([rows[i - 1][0] + longest / 2.5, ...new Array(rows[0].length - 1).fill(null)]);
    }
    out.push(rows[i]);
  }
  return out;
}

export const columns = (rows, width) => Array.from({ length: width }, (_, i) => rows.map((row) => row[i]));

function drawRanges(chart, ranges) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.fillStyle = colour("alert-range");
  for (const [from, to] of ranges) {
    const left = Math.max(bbox.left, chart.valToPos(from, "x", true));
    const right = Math.min(bbox.left + bbox.width, chart.valToPos(to, "x", true));
    if (right >= bbox.left && left <= bbox.left + bbox.width) ctx.fillRect(left, bbox.top, Math.max(right - left, 2), bbox.height);
  }
  ctx.restore();
}

function drawLevel(chart, level, name) {
  const { ctx, bbox } = chart;
  const y = chart.valToPos(level, "y", true);
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour("level");
  ctx.setLineDash([6, 5]);
  ctx.lineWidth = devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.fillText(name, bbox.left + 4 * devicePixelRatio, y - 2 * devicePixelRatio);
  ctx.restore();
}

// Points further apart than this many pixels can be told apart.
const POINT_SPACE = 8;

function isSparse(chart) {
  const [first, last] = chart.series[0].idxs ?? [0, 0];
  return (last - first) * POINT_SPACE * devicePixelRatio < chart.bbox.width;
}

const timeLabels = (chart, splits, axis, space, step) => splits.map((at) => axisText(1000 * at, 1000 * step));

// What each line is, with its value under the cursor, or else its newest.
class Key {
  constructor(series, place) {
    this.place = place;
    this.moment = h("span", { class: "key-moment" });
    this.values = series.map(() => h("b", {}));
    this.element = h("div", { class: "key" }, series.map((one, i) =>
      h("span", { style: `--line-colour: var(--${one.colour})`, class: one.dash ? "dashed" : null }, one.label, " ", this.values[i])), this.moment);
  }

  tell(data, index) {
    this.moment.textContent = index === null || !data[0].length ? "" : `at ${this.place(data[0][index])}`;
    this.values.forEach((element, i) => {
      const column = data[i + 1] ?? [];
      element.textContent = number(index === null ? column.findLast((value) => value !== null) : column[index], 3);
    });
  }
}

// One chart. `series`: [{label, colour, width?, dash?, dots?, dotsIfFew?}], dots: single points, no line; dotsIfFew(): points
// on the line where they can be told apart; `bands`: [[upper, lower, colour name]],
// `ranges()`: alerts as [from, to] in seconds, `level`: {value, name}, `onZoom(from, to)` in ms; from null = back.
// `onPoint(index)`: the point under the cursor or null; a chart that tells it has no key of its own.
export class Chart {
  constructor({ label, height, series, bands = [], ranges = () => [], level = null, fromZero = false, isTime = true, sync, onZoom, onPoint, bounds }) {
    this.options = { height, series, bands, ranges, level, fromZero, isTime, sync, onZoom, onPoint, bounds };
    this.element = h("div", { class: "chart", tabindex: "0", role: "group", "aria-label": onZoom ? `${label}. Arrow keys move, plus and minus zoom, 0 goes back.` : label });
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.data = series.map(() => []).concat([[]]);
    this.key = onPoint ? null : new Key(series, isTime ? (at) => fullText(1000 * at) : number);
    if (this.key) this.element.append(this.key.element);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.element);
  }

  build() {
    const { height, series, bands, ranges, level, fromZero, isTime, sync, onZoom, onPoint } = this.options;
    const axis = { stroke: colour("soft"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 }, font: "11px system-ui, sans-serif" };
    const yRange = (chart, least, greatest) => {
      if (least === null || greatest === null) return [0, level ? 1.4 * level.value : 1];
      if (fromZero) return [0, 1.08 * Math.max(greatest, level ? 1.25 * level.value : 0, 1e-9)];
      const room = Math.max(0.08 * (greatest - least), 1e-3 * Math.abs(greatest), 1e-9);
      return [least - room, greatest + room];
    };
    this.chart?.destroy();
    this.chart = new uPlot({
      width: Math.max(this.element.clientWidth, 200), height,
      padding: [8, 22, 0, 0],
      cursor: { drag: { x: Boolean(onZoom), y: false, setScale: false }, sync: sync ? { key: sync, setSeries: false } : undefined, points: { size: 7 } },
      legend: { show: false },
      scales: { x: { time: isTime, range: (chart, least, greatest) => this.options.bounds?.() ?? [least ?? 0, greatest ?? 1] }, y: { range: yRange } },
      axes: [{ ...axis, size: 26, space: 66, ...(isTime ? { values: timeLabels } : { incrs: [1, 2, 5, 10, 20, 50, 100] }) }, { ...axis, size: 54, space: 24, values: (chart, values) => values.map((value) => value === null ? "" : number(value, 4)) }],
      series: [
        { label: "time" },
        ...series.map((one) => ({
          label: one.label, stroke: () => colour(one.colour), width: one.width ?? 1.5, dash: one.dash,
          points: one.dotsIfFew ? { show: (chart) => one.dotsIfFew() && isSparse(chart), size: 5, width: 0, fill: () => colour(one.colour) } : one.dots ? { show: true, size: 5, width: 0, fill: () => colour(one.colour) } : { show: false },
          paths: one.dots ? () => null : undefined,
        })),
      ],
      bands: bands.map(([upper, lower, fill]) => ({ series: [upper, lower], fill: () => colour(fill) })),
      hooks: {
        drawClear: [(chart) => drawRanges(chart, ranges())],
        draw: [(chart) => { if (level) drawLevel(chart, level.value, level.name); }],
        setCursor: [(chart) => (onPoint ?? ((index) => this.key.tell(this.data, index)))(chart.cursor.idx ?? null)],
        setSelect: [(chart) => {
          const { left, width } = chart.select;
          if (width > 4) {
            onZoom?.(1000 * chart.posToVal(left, "x"), 1000 * chart.posToVal(left + width, "x"));
          }
          if (width > 0) chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    }, this.data, this.element);
    this.chart.over.addEventListener("dblclick", () => onZoom?.(null));
  }

  // Data as `[times in s, …values by series]`.
  set(data) {
    this.data = data;
    this.key?.tell(data, null);
    if (this.chart) this.chart.setData(data);
    else if (this.element.isConnected) this.build();
  }

  recolour() {
    if (this.chart) this.build();
  }

  resize() {
    const width = this.element.clientWidth;
    if (!this.chart && width > 0) this.build();
    else if (this.chart && width > 0 && width !== this.chart.width) this.chart.setSize({ width, height: this.options.height });
  }

  onKey(event) {
    const { onZoom, bounds } = this.options;
    const range = bounds?.();
    if (!onZoom || !range || event.ctrlKey || event.metaKey || event.altKey) return;
    const [from, to] = range.map((seconds) => 1000 * seconds);
    const span = to - from;
    const moves = { ArrowLeft: [-0.25, -0.25], ArrowRight: [0.25, 0.25], "+": [0.25, -0.25], "=": [0.25, -0.25], "-": [-0.5, 0.5] };
    if (event.key === "0") onZoom(null);
    else if (moves[event.key]) onZoom(from + moves[event.key][0] * span, to + moves[event.key][1] * span);
    else return;
    event.preventDefault();
  }

  destroy() {
    this.observer.disconnect();
    this.chart?.destroy();
    this.chart = null;
  }
}
