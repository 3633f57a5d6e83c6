// What a state means to the person at the desk: a tone (with a word and an icon), and the steps that lead on.
export const WAITING_FOR_US = new Set(["received", "triage"]);
export const FINISHED = new Set(["closed", "evaluated", "false_alarm", "cancelled", "duplicate_of"]);
const UNDER_WAY = new Set(["confirmed", "dispatching", "responding", "on_scene"]);

const TONES = {
  received: ["bad", "alert"], triage: ["bad", "alert"], confirmed: ["wait", "clock"], dispatching: ["wait", "clock"],
  responding: ["work", "route"], on_scene: ["work", "pin"], controlled: ["good", "shield"], cleared: ["good", "check"], verified: ["good", "check"],
  closed: ["done", "check"], evaluated: ["done", "check"], false_alarm: ["done", "x"], cancelled: ["done", "x"], duplicate_of: ["done", "stack"],
};
export const incidentTone = (state) => TONES[state] ?? ["", "info"];

const ASSIGNMENT_TONES = {
  proposed: ["wait", "clock"], reserved: ["wait", "clock"], offered: ["wait", "clock"], accepted: ["work", "check"], en_route: ["work", "route"], on_scene: ["work", "pin"],
  transporting: ["work", "route"], at_facility: ["work", "pin"], cleared: ["good", "check"], declined: ["done", "x"], timed_out: ["done", "clock"],
  withdrawn: ["done", "undo"], preempted: ["done", "undo"], unable: ["done", "x"],
};
export const assignmentTone = (state) => ASSIGNMENT_TONES[state] ?? ["", "info"];
export const ASSIGNMENT_ENDED = new Set(["cleared", "declined", "timed_out", "withdrawn", "preempted", "unable"]);
export const activeAssignments = (incident) => (incident?.assignments ?? []).filter((a) => !ASSIGNMENT_ENDED.has(a.state));

const HEALTH_TONES = {
  live: ["good", "check"], connecting: ["wait", "clock"], degraded: ["wait", "alert"], stalled: ["wait", "pause"],
  unauthorised: ["wait", "lock"], unreachable: ["wait", "unlink"], paused: ["done", "pause"],
};
export const healthTone = (state) => HEALTH_TONES[state] ?? ["done", "info"];
export const shows = (health) => health?.state === "live" || health?.state === "degraded";

/** The steps after the responders: R takes the first that is possible. */
export const CLOSING_STEPS = ["control", "clear", "verify", "close"];
export const closingStep = (incident) => CLOSING_STEPS.find((step) => incident?.next?.includes(step)) ?? null;

/** Newest unacknowledged first, then what is under way, then the rest, each newest first. */
export function byUrgency(a, b) {
  const rank = (i) => (WAITING_FOR_US.has(i.state) ? 0 : UNDER_WAY.has(i.state) ? 1 : FINISHED.has(i.state) ? 3 : 2);
  return rank(a) - rank(b) || b.opened_at_s - a.opened_at_s;
}
