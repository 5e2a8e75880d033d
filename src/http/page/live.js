// The live stream of the view on screen, with an honest word when it breaks.

import { query } from "./api.js";
import { announce } from "./dom.js";
import { clockText } from "./clock.js";

const WAITS = [500, 1000, 2000, 4000, 8000];
const EVENTS = ["score", "settled", "state", "warm_up", "transition", "alert_changed"];

let stream = null;
let retry = null;

function show(state, since) {
  const indicator = document.getElementById("link-state");
  const outage = document.getElementById("outage");
  indicator.className = `link-state ${state}`;
  indicator.textContent = { live: "live", lost: "not connected", connecting: "connecting" }[state];
  outage.hidden = state !== "lost";
  if (state === "lost") {
    outage.textContent = `No connection to the service since ${clockText(since)}. What you see is from then; trying again…`;
  }
}

// Listens until the next call. `onEvent(name, data)` gets every event; `onCatchUp()` is called whenever something may
// have been missed: after a break, and when the server says so.
export function listen({ series = null, scores = false, onEvent, onCatchUp }) {
  stop();
  let attempts = 0;
  let lostAt = null;
  const connect = () => {
    const source = new EventSource(`/api/v1/live${query({ series, scores: scores || null })}`);
    stream = source;
    source.onopen = () => {
      if (lostAt !== null) {
        onCatchUp();
        announce("Connected again.");
      }
      lostAt = null;
      attempts = 0;
      show("live");
    };
    source.onerror = () => {
      source.close();
      if (stream !== source) return;
      lostAt ??= Date.now();
      show("lost", lostAt);
      retry = setTimeout(connect, WAITS[Math.min(attempts++, WAITS.length - 1)]);
    };
    for (const name of EVENTS) source.addEventListener(name, (event) => onEvent(name, JSON.parse(event.data)));
    source.addEventListener("lagged", onCatchUp);
  };
  show("connecting");
  connect();
}

export function stop() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

addEventListener("pagehide", stop);
