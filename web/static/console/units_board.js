// Every unit: who they are, how they move, whether they are free.
import { html, cx } from "/static/lib/html.js";
import { serverNow_s } from "/static/lib/clock.js";
import { pick, t, word } from "/static/lib/i18n.js";
import { activeAssignments, assignmentTone } from "/static/lib/phases.js";
import { Ago, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { flyTo } from "/static/console/map_panel.js";
import { incidents, select, selectedId, units } from "/static/console/store.js";

const UNIT_TONES = { available: ["good", "check"], off_duty: ["done", "pause"], out_of_service: ["done", "x"], lost_contact: ["wait", "unlink"] };
const ORDER = ["lost_contact", "available", "out_of_service", "off_duty"];
const OLD_POSITION_S = 60;

/** {tone, icon, says} of what a unit is doing now. A commitment says more than its own state. */
export function doing(unit) {
  const incident = incidents.value.get(unit.committed_to);
  const assignment = activeAssignments(incident).find((a) => a.unit === unit.id);
  if (unit.committed_to && unit.state !== "lost_contact") {
    const [tone, icon] = assignment ? assignmentTone(assignment.state) : ["work", "route"];
    return { tone, icon, says: assignment ? t(`assignment.${assignment.state}`) : t("unit.committed") };
  }
  const [tone, icon] = UNIT_TONES[unit.state] ?? ["", "info"];
  return { tone, icon, says: t(`unit.${unit.state}`) };
}

function Row({ unit }) {
  const { tone, icon, says } = doing(unit);
  const incident = incidents.value.get(unit.committed_to);
  const here = unit.committed_to && unit.committed_to === selectedId.value;
  return html`<li class=${cx("unit", here && "here")} data-testid=${`unit-${unit.id}`} data-state=${unit.state} data-committed=${unit.committed_to ?? ""}>
    <button type="button" class="unit-name" title=${t("unit.show")} onClick=${() => unit.position && flyTo([unit.position.lon, unit.position.lat])}><${Icon} name=${unit.mode} title=${t(`mode.${unit.mode}`)} />
      <span><b>${pick(unit)}</b><span class="dim">${[t(`tier.${unit.tier}`), ...unit.skills.map((s) => word("skill", s))].join(" · ")}</span></span></button>
    <span class="unit-state"><${Chip} tone=${tone} icon=${icon}>${says}<//>
      ${unit.committed_to && !here && html`<button type="button" class="link num" onClick=${() => select(unit.committed_to)}>
        ${incident ? t("number", { n: incident.number }) : t("unit.elsewhere")}</button>`}
      ${unit.position && serverNow_s() - unit.position.at_s > OLD_POSITION_S && html`<span class="dim"><${Ago} at=${unit.position.at_s} /></span>`}
        </span></li>`;
}

export function UnitsBoard() {
  const rank = (u) => (u.committed_to === selectedId.value && u.committed_to ? -2 : u.committed_to ? -1 : ORDER.indexOf(u.state));
  const rows = [...units.value.values()].sort((a, b) => rank(a) - rank(b) || a.id.localeCompare(b.id));
  const free = rows.filter((u) => u.state === "available" && !u.committed_to).length;
  return html`<section class="panel units" aria-label=${t("units")}><header class="panel-head"><h2>${t("units")}</h2><span class="dim num">
    ${t("units.free", { n: free, all: rows.length })}</span></header>
    <ul>${rows.map((unit) => html`<${Row} key=${unit.id} unit=${unit} />`)}</ul></section>`;
}
