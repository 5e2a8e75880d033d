// How many alerts are open, beside the link to them on every view.

import { all } from "./api.js";

export async function countOpen() {
  const badge = document.getElementById("open-count");
  try {
    const open = await all("alerts?state=open&limit=1000");
    badge.textContent = open.length;
    badge.hidden = open.length === 0;
    badge.setAttribute("aria-label", `${open.length} open`);
  } catch {
    badge.hidden = true;
  }
}
