// What one responder's phone knows. It asks every two seconds; the WebSocket, where it is allowed, only makes it ask sooner.
import { computed, signal } from "@preact/signals";
import { get, idempotencyKey, post } from "/static/lib/api.js";
import { serverNow_s } from "/static/lib/clock.js";
import { t } from "/static/lib/i18n.js";
import { toast, toastProblem } from "/static/lib/toast.js";

const POLL_MS = 2000;

export const me = signal(null);
export const site = signal(null);
export const mine = signal(null); // {unit, assignment, incident}
export const heard_s = signal(0);
export const lost = signal(null); // the problem of the last poll, or null
export const pending = signal("");
export const cleared = signal(null); // the assignment that this phone has just ended, for the thank-you

export const assignment = computed(() => mine.value?.assignment ?? null);
export const incident = computed(() => mine.value?.incident ?? null);
export const unit = computed(() => mine.value?.unit ?? null);

let asking = null;
export function poll() {
  asking ??= (async () => {
    try {
      mine.value = await get("/api/v1/units/me");
      heard_s.value = serverNow_s();
      lost.value = null;
    } catch (problem) {
      lost.value = problem;
    } finally {
      asking = null;
    }
  })();
  return asking;
}
export const startPolling = () => setInterval(() => { if (!document.hidden) poll(); }, POLL_MS);

/** accept, decline, en_route, on_scene, clear, unable. The state on the page changes only by the server's answer. */
export async function answer(action, reason) {
  const own = assignment.value;
  if (!own || pending.value) return;
  pending.value = action;
  try {
    const next = await post(`/api/v1/assignments/${own.id}/${action}`, { ...(reason ? { reason } : {}), client_time_s: Date.now() / 1000 }, { "Idempotency-Key": idempotencyKey() });
    if (next?.id && mine.value) mine.value = { ...mine.value, assignment: next };
    if (action === "clear") cleared.value = own.id;
    toast(t(`phone.done.${action}`), { tone: "good" });
  } catch (problem) {
    toastProblem(t("failed", { what: t(`phone.${action}`) }), problem);
  } finally {
    pending.value = "";
    await poll();
  }
}

export async function setState(state) {
  if (pending.value) return;
  pending.value = state;
  try {
    await post("/api/v1/units/me/state", { state });
  } catch (problem) {
    toastProblem(t("failed", { what: t(`unit.${state}`) }), problem);
  } finally {
    pending.value = "";
    await poll();
  }
}
