// The only door to the server. Errors are `Problem`s whose title and detail are written for the person who meets them.
import { learnServerTime } from "/static/lib/clock.js";
import { lang, t } from "/static/lib/i18n.js";

const TIMEOUT_MS = 12_000;
let csrf = "";

export const setCsrf = (token) => { csrf = token ?? ""; };

export class Problem extends Error {
  /** @param body problem+json, or what we know of the failure */
  constructor(status, body) {
    super(body.detail || body.title || t("error.unknown"));
    this.status = status;
    this.code = body.code ?? "";
    this.title = body.title ?? "";
    this.detail = body.detail ?? "";
    this.body = body;
  }
}

/** Headers that every unsafe request needs. The live video's offers use them too. */
export const unsafeHeaders = () => ({ "X-Callout-CSRF": csrf, "Accept-Language": lang.value });

/** A key that makes a repeated POST harmless. crypto.randomUUID is missing outside https and localhost. */
export function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

export async function request(method, path, { body, headers = {}, signIn = true } = {}) {
  const unsafe = method !== "GET";
  let response;
  try {
    response = await fetch(path, {
      method,
      credentials: "same-origin",
      cache: unsafe ? "no-store" : "default",
      headers: {
        Accept: "application/json",
        "Accept-Language": lang.value,
        ...(unsafe ? unsafeHeaders() : {}),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (error) {
    const slow = error?.name === "TimeoutError";
    throw new Problem(0, { code: slow ? "timeout" : "offline", title: t(slow ? "error.timeout" : "error.offline") });
  }
  learnServerTime(response.headers.get("Date"));
  const text = response.status === 204 ? "" : await response.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch {
    json = { title: t("error.answer", { status: response.status }) };
  }
  if (response.ok) return json;
  if (response.status === 401 && signIn) toSignIn();
  throw new Problem(response.status, json ?? { title: t("error.answer", { status: response.status }) });
}

export const get = (path, options) => request("GET", path, options);
export const post = (path, body = {}, headers = {}) => request("POST", path, { body, headers });
export const del = (path) => request("DELETE", path);

export function toSignIn() {
  const here = location.pathname + location.search;
  location.assign(`/login?next=${encodeURIComponent(here)}`);
}

export async function signOut() {
  try {
    await del("/api/v1/session");
  } finally {
    location.assign("/login");
  }
}

/** Me, or a trip to the sign-in page. */
export async function whoAmI() {
  const me = await get("/api/v1/session");
  setCsrf(me.csrf);
  return me;
}
