// What asks before it does: the reason of a dismissal, whom to withdraw and why, a cancellation; and the help.
import { signal } from "@preact/signals";
import { html } from "/static/lib/html.js";
import { pick, pickText, t } from "/static/lib/i18n.js";
import { activeAssignments } from "/static/lib/phases.js";
import { Button, Dialog, Key } from "/static/lib/ui.js";
import { act, withdraw } from "/static/console/commands.js";
import { hazardText, incidents, site } from "/static/console/store.js";

const asked = signal(null); // {what, incident id}
const WITHDRAW_REASONS = ["not_needed", "better_unit", "sent_in_error", "no_answer", "recalled"];

/** The incident whose unit is being chosen on the right, or null. */
export const choosing = signal(null);
export const startChoosing = (incident) => { choosing.value = incident.id; };
export const stopChoosing = () => { choosing.value = null; };

export const ask = (what, incident = null) => { asked.value = { what, id: incident?.id }; };
const done = () => { asked.value = null; };

/** Numbered choices: 1–9 pick at once. */
function Choices({ rows, onPick }) {
  const onKeyDown = (event) => {
    const row = rows[Number(event.key) - 1];
    if (row && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); event.stopPropagation(); onPick(row); }
  };
  return html`<ol class="choices" onKeyDown=${onKeyDown}>${rows.map((row, i) => html`<li key=${row.code}>
    <button type="button" class="choice" autofocus=${i === 0}
    data-testid=${row.testid} onClick=${() => onPick(row)}><${Key}>${i + 1}<//><span>${row.text}</span></button></li>`)}</ol>`;
}

function Dismiss({ incident }) {
  const rows = (site.value?.dismiss_reasons ?? []).map((reason) => ({ code: reason.code, text: pickText(reason), testid: `dismiss-reason-${reason.code}` }));
  const pick1 = (row) => { done(); act(incident, "dismiss", { reason: row.code }); };
  return html`<${Dialog} title=${t("dismiss.title", { kind: pickText(hazardText(incident.kind)), n: incident.number })}
      testid="dismiss-dialog" onClose=${done}>
    <p class="dim">${t("dismiss.more")}</p><${Choices} rows=${rows} onPick=${pick1} /><//>`;
}

const whom = signal(null);

function Withdraw({ incident }) {
  const active = activeAssignments(incident);
  const chosen = active.find((a) => a.id === whom.value) ?? (active.length === 1 ? active[0] : null);
  const close = () => { whom.value = null; done(); };
  if (!active.length) return html`<${Dialog} title=${t("act.withdraw")} onClose=${close}><p>${t("why.nobody_sent")}</p><//>`;
  const rows = chosen
    ? WITHDRAW_REASONS.map((code) => ({ code, text: t(`withdraw.${code}`), testid: `withdraw-reason-${code}` }))
    : active.map((a) => ({ code: a.id, text: `${pick(a, "unit_name")} · ${t(`assignment.${a.state}`)}`, testid: `withdraw-unit-${a.unit}` }));
  const take = (row) => {
    if (!chosen) { whom.value = row.code; return; }
    close();
    withdraw(chosen, pick(chosen, "unit_name"), row.code);
  };
  return html`<${Dialog} title=${chosen ? t("withdraw.title", { unit: pick(chosen, "unit_name") }) : t("withdraw.whom")}
      testid="withdraw-dialog" onClose=${close}>
    <${Choices} key=${chosen?.id ?? "whom"} rows=${rows} onPick=${take} /><//>`;
}

function Cancel({ incident }) {
  const yes = () => { done(); act(incident, "cancel"); };
  return html`<${Dialog} title=${t("cancel.title", { n: incident.number })} testid="cancel-dialog" onClose=${done}><p>${t("cancel.more")}</p>
    <div class="buttons end"><${Button} onClick=${done}>${t("back")}<//><${Button} kind="primary" testid="cancel-yes" onClick=${yes}>${t("act.cancel")}<//></div><//>`;
}

const HELP = [["J ↓", "help.down"], ["K ↑", "help.up"], ["C", "act.confirm"], ["X", "help.dismiss"], ["D", "help.dispatch"], ["↑ ↓ Enter", "help.choose"],
  ["W", "act.withdraw"], ["R", "help.next"], ["V", "help.clear"], ["G", "help.wall"], ["M", "help.sound"], ["?", "help.help"], ["Esc", "help.escape"]];

function Help() {
  return html`<${Dialog} title=${t("help.title")} testid="help" onClose=${done} wide><dl class="help">
    ${HELP.map(([keys, text]) => html`<div key=${text}><dt>${keys.split(" ").map((key) => html`<${Key}>${key}<//>`)}</dt><dd>${t(text)}</dd></div>`)}
      </dl>
    <p class="dim">${t("help.scope")}</p><//>`;
}

export function Dialogs() {
  const now = asked.value;
  if (!now) return null;
  if (now.what === "help") return html`<${Help} />`;
  const incident = incidents.value.get(now.id);
  if (!incident) return null;
  return { dismiss: html`<${Dismiss} incident=${incident} />`, withdraw: html`<${Withdraw} incident=${incident} />`, cancel: html`<${Cancel} incident=${incident} />` }[now.what] ?? null;
}
