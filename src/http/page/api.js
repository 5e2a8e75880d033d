// Asks the API. An error carries the server's own sentence.

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem(0, "The service does not answer.");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, body?.detail ?? `The service answered ${response.status}.`);
  return body;
}

const api = (path) => `/api/v1/${path}`;

export const get = (path) => ask(api(path), { headers: { accept: "application/json" } });
export const post = (path, body) => ask(api(path), body === undefined
  ? { method: "POST" }
  : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

export const del = (path) => ask(api(path), { method: "DELETE" });

export async function text(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Problem(response.status, `${path} answered ${response.status}.`);
  return response.text();
}

export const segment = encodeURIComponent;

// A query string without the parameters that have no value.
export function query(parameters) {
  const known = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined);
  return known.length ? `?${new URLSearchParams(known)}` : "";
}

// Every item of a list, part after part.
export async function all(path) {
  const items = [];
  let next = path;
  while (next) {
    const page = await get(next);
    items.push(...page.data);
    next = page.next ? page.next.replace("/api/v1/", "") : null;
  }
  return items;
}
