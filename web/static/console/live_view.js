// One live picture over WHEP. It never shows a frozen picture as if it were live: when frames stop, words cover it.
import { useEffect, useRef, useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { unsafeHeaders } from "/static/lib/api.js";
import { deviceNow_s, serverNow_s } from "/static/lib/clock.js";
import { t } from "/static/lib/i18n.js";
import { At } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { play } from "/static/lib/whep.js";

const FROZEN_AFTER_S = 3;
const FIRST_PICTURE_S = 12;
const LONGEST_WAIT_S = 15;

/** Plays `url` while mounted; returns {ref, state: connecting|live|frozen|lost, since_s, detail}. */
function useLive(url) {
  const ref = useRef(null);
  const [status, setStatus] = useState({ state: "connecting", since_s: serverNow_s(), detail: "" });
  useEffect(() => {
    const video = ref.current;
    let player = null;
    let retry = 0;
    let wait_s = 1;
    let lastFrame_s = 0;
    let started_s = deviceNow_s();
    let ended = false;
    const say = (state, detail = "") => setStatus((was) => (was.state === state && was.detail === detail ? was : { state, detail, since_s: serverNow_s() }));
    const again = (detail) => {
      if (ended || retry) return;
      player?.stop();
      player = null;
      say("lost", detail);
      retry = setTimeout(start, wait_s * 1000);
      wait_s = Math.min(LONGEST_WAIT_S, wait_s * 2);
    };
    const onState = (state, detail) => {
      if (["failed", "closed", "disconnected", "error"].includes(state)) again(typeof detail === "string" ? detail : (detail?.message ?? ""));
    };
    function start() {
      retry = 0;
      if (ended) return;
      started_s = deviceNow_s();
      lastFrame_s = 0;
      Promise.resolve()
        .then(() => play(video, url, { headers: unsafeHeaders(), onState }))
        .then((made) => { if (ended) made?.stop?.(); else player = made; })
        .catch((error) => again(error?.detail || error?.message || ""));
    }
    const onFrame = () => {
      if (ended) return;
      lastFrame_s = deviceNow_s();
      wait_s = 1;
      if (!retry) say("live");
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    const watchdog = setInterval(() => {
      if (document.hidden || retry) { lastFrame_s &&= deviceNow_s(); return; }
      if (lastFrame_s && deviceNow_s() - lastFrame_s > FROZEN_AFTER_S) say("frozen");
      const silent_s = deviceNow_s() - (lastFrame_s || started_s);
      if (silent_s > FIRST_PICTURE_S) again(t("live.no_picture"));
    }, 500);
    start();
    return () => { ended = true; clearInterval(watchdog); clearTimeout(retry); player?.stop(); video.srcObject = null; };
  }, [url]);
  return { ref, ...status };
}

export function LiveView({ url, label, testid, onVideo, children }) {
  const { ref, state, since_s, detail } = useLive(url);
  useEffect(() => { onVideo?.(ref.current); return () => onVideo?.(null); }, [url]);
  return html`<div class=${cx("live", state)} data-state=${state}>
    <video ref=${ref} muted autoplay playsinline aria-label=${label} data-testid=${testid}></video>
    ${children}
    ${state !== "live" && html`<div class="cover"><${Icon} name=${state === "connecting" ? "spinner" : state === "frozen" ? "pause" : "unlink"} />
      <strong>${t(`live.${state}`)}</strong>${state !== "connecting" && html`<span>${t("since")} <${At} at=${since_s} /></span>`}${detail && html`<span class="dim">${detail}</span>`}</div>`}
  </div>`;
}
