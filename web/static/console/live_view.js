// One live picture over WHEP. It never shows a frozen picture as if it were live: when it stops, words cover it.
import { useEffect, useRef, useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { unsafeHeaders } from "/static/lib/api.js";
import { t, word } from "/static/lib/i18n.js";
import { Ago, At } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { play } from "/static/lib/whep.js";

const ICONS = { connecting: "spinner", stalled: "pause", ended: "unlink" };
const STARTING = { state: "connecting", attempt: 1 };

function Cover({ state, sinceMs, problem, onRetry }) {
  const why = problem && (problem.status ? problem.detail || problem.title : word("live.why", problem.code) === problem.code.replaceAll("_", " ") ? t("error.offline") : word("live.why", problem.code));
  return html`<div class="cover"><${Icon} name=${ICONS[state]} /><strong>${t(`live.${state}`)}</strong>
    ${sinceMs && html`<span>${t("stale_since")} <${At} at=${sinceMs / 1000} /> · <${Ago} at=${sinceMs / 1000} /></span>`}
    ${why && html`<span class="dim">${why}</span>`}
    ${state === "ended" && html`<button type="button" class="btn small" onClick=${onRetry}>${t("retry")}</button>`}</div>`;
}

/** `children` lie over the picture (boxes); `onVideo` gets the <video> and, at the end, null. */
export function LiveView({ url, label, testid, onVideo, children }) {
  const ref = useRef(null);
  const [status, setStatus] = useState(STARTING);
  const [round, setRound] = useState(0);
  useEffect(() => {
    setStatus(STARTING);
    onVideo?.(ref.current);
    let mounted = true;
    const player = play(ref.current, url, { headers: unsafeHeaders, onState: (next) => { if (mounted) setStatus(next); } });
    return () => { mounted = false; player.stop(); onVideo?.(null); };
  }, [url, round]);
  const live = status.state === "live";
  return html`<div class=${cx("live", status.state)} data-state=${status.state}>
    <video ref=${ref} muted autoplay playsinline aria-label=${label} data-testid=${testid}></video>
    ${children}${!live && html`<${Cover} ...${status} onRetry=${() => setRound(round + 1)} />`}</div>`;
}
