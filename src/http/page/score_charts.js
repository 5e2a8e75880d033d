// The charts of scores that the series view and the alert view share.

import { Chart } from "./chart.js";

export const scoreChart = (common) => new Chart({
  ...common, label: "Live score and settled score", fromZero: true, level: { value: 1, name: "notable" },
  series: [{ label: "live score", colour: "live", width: 1.8 }, { label: "settled score", colour: "settled" }],
});

// Scores may reach a hundred, evidence rarely passes 2: on one axis it could not be seen.
export const evidenceChart = (common) => new Chart({
  ...common, label: "Evidence", height: 96, fromZero: true, level: { value: 1, name: "an alert opens" },
  series: [{ label: "evidence", colour: "evidence" }],
});

export const memberChart = (common) => new Chart({
  ...common, label: "Errors of autoencoder, PCA and trivial baseline", height: 170, fromZero: true,
  series: [{ label: "autoencoder", colour: "autoencoder" }, { label: "PCA", colour: "pca" }, { label: "trivial baseline", colour: "baseline", dash: [4, 3] }],
});
