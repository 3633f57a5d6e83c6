// The row of decisions. Every button has its key; one that cannot be used now says why.
import { html } from "/static/lib/html.js";
import { t } from "/static/lib/i18n.js";
import { activeAssignments, closingStep, WAITING_FOR_US } from "/static/lib/phases.js";
import { Button } from "/static/lib/ui.js";
import { act, isPending } from "/static/console/commands.js";
import { ask, choosing, startChoosing } from "/static/console/dialogs.js";
import { may } from "/static/console/store.js";

const OFFERABLE = new Set(["confirmed", "dispatching", "responding", "on_scene", "controlled"]);

/** Why the incident does not take this action now: "" when it does. */
export function whyNot(incident, action) {
  if (!may("incident.act")) return t("why.role");
  if (action === "dispatch") return OFFERABLE.has(incident.state) ? "" : t(WAITING_FOR_US.has(incident.state) ? "why.confirm_first" : "why.finished");
  if (action === "withdraw") return activeAssignments(incident).length ? "" : t("why.nobody_sent");
  return incident.next.includes(action) ? "" : t("why.state", { state: t(`state.${incident.state}`) });
}

/** What leads on from here, in one sentence. */
export function nextStep(incident) {
  if (WAITING_FOR_US.has(incident.state)) return "decide";
  if (incident.alert || (incident.state === "confirmed" && !activeAssignments(incident).length)) return "dispatch";
  const step = closingStep(incident);
  if (step) return step;
  return { dispatching: "answer", responding: "arrive", on_scene: "work", controlled: "units_clear" }[incident.state] ?? "none";
}

export function Actions({ incident }) {
  const waiting = WAITING_FOR_US.has(incident.state);
  const next = nextStep(incident);
  const step = closingStep(incident);
  const sent = activeAssignments(incident).length > 0;
  const others = ["cancel", "reopen"].filter((action) => incident.next.includes(action));
  const run = (action) => act(incident, action);
  const button = (action, props) => html`<${Button} testid=${action} pending=${isPending(`${action}:${incident.id}`)}
      why=${whyNot(incident, action)} ...${props}>${t(`act.${action}`)}<//>`;
  return html`<section class="actions" aria-label=${t("actions")}>
    <div class="buttons">
      ${(waiting || incident.next.includes("confirm")) && button("confirm", { icon: "check", hotkey: "C", kind: "primary", onClick: () => run("confirm") })}
      ${OFFERABLE.has(incident.state) && html`<${Button} testid="dispatch" icon="send" hotkey="D" kind=${next === "dispatch" ? "primary" : ""}
          pending=${isPending(`offer:${incident.id}`)} why=${whyNot(incident, "dispatch")}
        aria-pressed=${choosing.value === incident.id} onClick=${() => startChoosing(incident)}>${t("act.dispatch")}<//>`}
      ${!waiting && (sent || (OFFERABLE.has(incident.state) && !step)) && html`<${Button} testid="withdraw" icon="undo" hotkey="W"
          why=${whyNot(incident, "withdraw")} onClick=${() => ask("withdraw", incident)}>${t("act.withdraw")}<//>`}
      ${step && button(step, { icon: "flag", hotkey: "R", kind: "primary", onClick: () => run(step) })}
      ${incident.next.includes("dismiss") && button("dismiss", { icon: "x", hotkey: "X", onClick: () => ask("dismiss", incident) })}
      ${others.map((action) => button(action, { key: action, kind: "quiet", onClick: () => (action === "cancel" ? ask("cancel", incident) : run(action)) }))}
    </div>
    <p class="next-step" data-testid="next-step"><b>${t("next")}</b> ${t(`next.${next}`)}</p></section>`;
}
