// Scores and readings of a range, in the grain that the screen can show, as columns for the charts.

import { get, query, segment } from "./api.js";
import { duration, iso, ms } from "./clock.js";
import { columns, withGaps } from "./chart.js";

// Mean distance of a series' rows, ms.
export const stride = (one) => (one.n_rows > 1 && one.last_at ? Math.max((ms(one.last_at) - ms(one.first_at)) / (one.n_rows - 1), 1) : 1000);
export const strideText = (one) => duration(stride(one));

// More points than this across a chart cannot be told apart.
const POINTS = 800;

const NICE_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400].map((seconds) => 1000 * seconds);

// The step to sum rows up by, in ms; null when single rows can be shown.
export function stepFor(from, to, stride) {
  const rows = (to - from) / Math.max(stride, 1);
  if (rows <= 1.5 * POINTS) return null;
  const least = (to - from) / POINTS;
  return NICE_STEPS.find((step) => step >= least) ?? 86_400_000 * Math.ceil(least / 86_400_000);
}

export async function loadRows(name, from, to, stride) {
  const step = stepFor(from, to, stride);
  const range = { start: iso(Math.max(0, Math.floor(from))), end: iso(Math.max(0, Math.ceil(to))), limit: 20_000, step: step ? `${step}ms` : null };
  const path = `series/${segment(name)}`;
  const [scores, readings] = await Promise.all([
    get(`${path}/scores${query({ ...range, detail: true })}`),
    get(`${path}/readings${query(range)}`),
  ]);
  return { step, scores: scores.data, readings: readings.data, channels: readings.channels };
}

const seconds = (text) => ms(text) / 1000;

export const scoreColumns = ({ scores }) =>
  columns(withGaps(scores.map((row) => [seconds(row.at), row.live_score, row.settled_score])), 3);

export const evidenceColumns = ({ scores }) => columns(withGaps(scores.map((row) => [seconds(row.at), row.evidence])), 2);

export const memberColumns = ({ scores }) =>
  columns(withGaps(scores.map((row) => [seconds(row.at), row.autoencoder_error, row.pca_error, row.baseline_error])), 4);

// time, measured value (or mean), expected, greatest, least, band's upper and lower edge, value if outside the band, value
// if held. `widths` as from `bandWidths`.
export function channelColumns({ scores, readings, channels }, channel, widths = new Map()) {
  const index = channels.indexOf(channel);
  const width = widths.get(channel) ?? null;
  const expected = new Map(scores.filter((row) => row.expected).map((row) => [row.at, row.expected[channel]]));
  const rows = withGaps(readings.map((row) => {
    const value = row.values[index] ?? null;
    const wanted = expected.get(row.at) ?? null;
    const [upper, lower] = width === null || wanted === null ? [null, null] : [wanted + width, wanted - width];
    // A mean may lie inside while a reading did not: only single rows are called outside.
    const isOutside = !row.max && value !== null && upper !== null && (value > upper || value < lower);
    const isHeld = value !== null && row.measured?.[index] === false;
    return [seconds(row.at), isHeld ? null : value, wanted, row.max?.[index] ?? null, row.min?.[index] ?? null, upper, lower, isOutside ? value : null, isHeld ? value : null];
  }));
  // The line of held values begins and ends at the measured ones beside them.
  const isHeld = rows.map((row) => row[HELD] !== null);
  const joined = rows.map((row, i) => [...row.slice(0, HELD), row[HELD] ?? (isHeld[i - 1] || isHeld[i + 1] ? row[1] : null)]);
  return columns(joined, 9);
}

const HELD = 8;
