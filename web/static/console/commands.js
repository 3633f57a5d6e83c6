// What an operator does. A command shows as pending until the server has answered; the picture changes only by that answer.
import { signal } from "@preact/signals";
import { del, idempotencyKey, post, unsafeHeaders } from "/static/lib/api.js";
import { serverNow_s } from "/static/lib/clock.js";
import { t } from "/static/lib/i18n.js";
import { toast, toastProblem } from "/static/lib/toast.js";
import { incidents, resync, staleNote, takeAssignment, takeIncident } from "/static/console/store.js";

/** Names of commands under way: "confirm:INC", "offer:INC", … */
export const pending = signal(new Set());
export const isPending = (name) => pending.value.has(name);

async function whilePending(name, work) {
  if (pending.value.has(name)) return null;
  pending.value = new Set(pending.value).add(name);
  try {
    return await work();
  } finally {
    const next = new Set(pending.value);
    next.delete(name);
    pending.value = next;
  }
}

/** What a person must look at again: their picture was old. */
function showStale(incident, problem) {
  const current = problem.body.current;
  if (!current) return resync();
  takeIncident(current);
  const last = current.journal?.at(-1);
  staleNote.value = { id: incident.id, from: incident.state, to: current.state, by: last?.actor ?? "", at_s: last?.at_s ?? current.updated_at_s };
  return null;
}

function failed(incident, what, problem) {
  if (problem.status === 409 && problem.code === "stale") showStale(incident, problem);
  else if (problem.status === 409) resync();
  toastProblem(what, problem);
}

/** confirm, dismiss, cancel, control, clear, verify, close, reopen. Resolves to whether it was done. */
export const act = (incident, action, body = {}) =>
  whilePending(`${action}:${incident.id}`, async () => {
    try {
      takeIncident(await post(`/api/v1/incidents/${incident.id}/${action}`, body, { "If-Match": `"${incident.version}"`, "Idempotency-Key": idempotencyKey() }));
      staleNote.value = null;
      toast(t(`done.${action}`, { n: incident.number }), { tone: "good" });
      return true;
    } catch (problem) {
      failed(incident, t("failed", { what: t(`act.${action}`) }), problem);
      return false;
    }
  });

export const offer = (incident, unit, name) =>
  whilePending(`offer:${incident.id}`, async () => {
    try {
      takeAssignment(await post(`/api/v1/incidents/${incident.id}/assignments`, { unit }, { "Idempotency-Key": idempotencyKey() }));
      toast(t("done.offer", { unit: name }), { tone: "wait" });
      return true;
    } catch (problem) {
      failed(incident, t("failed", { what: t("act.dispatch") }), problem);
      return false;
    }
  });

export const withdraw = (assignment, name, reason) =>
  whilePending(`withdraw:${assignment.id}`, async () => {
    try {
      takeAssignment(await post(`/api/v1/assignments/${assignment.id}/withdraw`, { reason }, { "Idempotency-Key": idempotencyKey() }));
      toast(t("done.withdraw", { unit: name }), { tone: "good" });
      return true;
    } catch (problem) {
      const incident = incidents.value.get(assignment.incident);
      failed(incident, t("failed", { what: t("act.withdraw") }), problem);
      return false;
    }
  });

/** The live grant: {grant, camera, expires_at_s, whep, clips, incident} or null. */
export const grant = signal(null);

export const openClear = (incident) =>
  whilePending(`grant:${incident.id}`, async () => {
    if (grant.value) await closeClear();
    try {
      const given = await post(`/api/v1/incidents/${incident.id}/grants`, { purpose: "triage" }, { "Idempotency-Key": idempotencyKey() });
      grant.value = { ...given, incident: incident.id, begun_at_s: serverNow_s() };
    } catch (problem) {
      failed(incident, t("failed", { what: t("clear.open") }), problem);
    }
  });

const HANG_UP_MS = 150;

export async function closeClear() {
  const held = grant.value;
  grant.value = null;
  if (!held) return;
  await new Promise((done) => { setTimeout(done, HANG_UP_MS); }); // the picture hangs up first, by itself
  try {
    await del(`/api/v1/grants/${held.grant}`);
  } catch (problem) {
    if (problem.status !== 404) toastProblem(t("failed", { what: t("clear.end") }), problem);
  }
}

/** With the page goes the grant. */
addEventListener("pagehide", () => {
  if (grant.value) fetch(`/api/v1/grants/${grant.value.grant}`, { method: "DELETE", headers: unsafeHeaders(), keepalive: true }).catch(() => {});
});

/** A clip's address under the grant. Clips that began after the grant was given are in it too. */
export function clipUrl(held, clip) {
  return held.clips?.find((c) => c.id === clip.id)?.url ?? `/media/clips/${clip.id}.mp4?grant=${held.grant}`;
}
