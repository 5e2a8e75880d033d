// The expected band: how far from what was expected a channel strays in quiet times.

import { get, query, segment } from "./api.js";
import { iso } from "./clock.js";

const ROWS = 1000;
const ROWS_MIN = 100;
// The band holds this share of the quiet rows.
const SHARE = 0.995;
export const BAND_TEXT = "the band holds 199 of 200 quiet rows";

// Half the width of each channel's band, from the last rows before `until` (ms) on which no alert was open, as
// Map channel → width. Empty while fewer than a hundred such rows are known.
export async function bandWidths(name, until, stride) {
  const range = { start: iso(Math.max(0, Math.floor(until - ROWS * stride))), end: iso(Math.max(0, Math.ceil(until))), limit: ROWS };
  const [scores, readings] = await Promise.all([
    get(`series/${segment(name)}/scores${query({ ...range, detail: true })}`),
    get(`series/${segment(name)}/readings${query(range)}`),
  ]);
  const seen = new Map(readings.data.map((row) => [row.at, row.values]));
  const gaps = new Map(readings.channels.map((channel) => [channel, []]));
  for (const row of scores.data) {
    if (row.is_anomalous || !row.expected) continue;
    const values = seen.get(row.at);
    readings.channels.forEach((channel, i) => {
      const [observed, expected] = [values?.[i] ?? null, row.expected[channel] ?? null];
      if (observed !== null && expected !== null) gaps.get(channel).push(Math.abs(observed - expected));
    });
  }
  const widths = new Map();
  for (const [channel, found] of gaps) {
    if (found.length < ROWS_MIN) continue;
    found.sort((a, b) => a - b);
    widths.set(channel, found[Math.min(found.length - 1, Math.ceil(SHARE * found.length) - 1)]);
  }
  return widths;
}
