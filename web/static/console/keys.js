// One key for each thing that an operator does. Keys are silent while somebody types or a dialog is open.
import { toggleSound } from "/static/lib/sound.js";
import { closingStep } from "/static/lib/phases.js";
import { toast } from "/static/lib/toast.js";
import { act, closeClear, openClear } from "/static/console/commands.js";
import { ask, choosing, startChoosing, stopChoosing } from "/static/console/dialogs.js";
import { whyNot } from "/static/console/actions.js";
import { grantFor, whyNoClear } from "/static/console/live_pane.js";
import { move, send } from "/static/console/recommendation.js";
import { queue, select, selected, view } from "/static/console/store.js";

function step(by) {
  if (choosing.value) return move(by);
  const rows = queue.value;
  const at = rows.findIndex((i) => i.id === selected.value?.id);
  const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  if (next) select(next.id);
  return undefined;
}

/** Does it when it is possible, else says why not. */
function unless(why, work) {
  if (why) toast(why);
  else work();
}

const commands = {
  j: () => step(1), arrowdown: () => step(1), k: () => step(-1), arrowup: () => step(-1),
  c: (i) => unless(whyNot(i, "confirm"), () => act(i, "confirm")),
  x: (i) => unless(whyNot(i, "dismiss"), () => ask("dismiss", i)),
  d: (i) => unless(whyNot(i, "dispatch"), () => {
    document.activeElement?.blur(); // an Enter that follows at once is meant for the choice, not for the button pressed last
    startChoosing(i);
  }),
  w: (i) => unless(whyNot(i, "withdraw"), () => ask("withdraw", i)),
  r: (i) => { const next = closingStep(i); unless(next ? whyNot(i, next) : whyNot(i, "control"), () => act(i, next)); },
  v: (i) => (grantFor(i) ? closeClear() : unless(whyNoClear(i), () => openClear(i))),
  enter: () => { if (choosing.value) send(); },
};
const anywhere = {
  g: () => { view.value = view.value === "wall" ? "desk" : "wall"; },
  m: toggleSound,
  "?": () => ask("help"),
  escape: () => { if (choosing.value) stopChoosing(); else view.value = "desk"; },
};

export function listen() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat && !/^Arrow|^[jk]$/i.test(event.key)) return;
    if (document.querySelector("dialog[open]") || event.target.closest?.("input, textarea, select, .maplibregl-map")) return;
    const key = event.key.toLowerCase();
    const own = event.target.closest?.("button, a, video");
    if (own && (key === "enter" || key === " ")) return; // the focused control's own key
    const general = anywhere[key];
    const incident = selected.value;
    const command = view.value === "desk" && incident ? commands[key] : null;
    if (!general && !command) return;
    event.preventDefault();
    if (general) general();
    else command(incident);
  });
}
