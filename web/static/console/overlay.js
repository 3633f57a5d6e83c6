// The canvas over a picture: zones, the detector's boxes as they come, and the hazard's own box.
import { useEffect, useRef } from "preact/hooks";
import { html } from "/static/lib/html.js";
import { draw } from "/static/lib/boxes.js";
import { serverNow_s } from "/static/lib/clock.js";
import { lang, pick, t } from "/static/lib/i18n.js";
import { boxesOf, hazardText } from "/static/console/store.js";
import { pickText } from "/static/lib/i18n.js";

const FORGET_BOXES_S = 1.5; // older boxes would lie about where things are

const wordFor = (name) => (lang.value === "zh" ? t(`label.${name}`) : name);
const zoneOf = (camera, id) => camera?.zones?.find((z) => z.id === id) ?? null;
const pictureOf = (element) => ({ width: element?.videoWidth || element?.naturalWidth || 0, height: element?.videoHeight || element?.naturalHeight || 0 });

/** `element` is the <video> or <img> below; `live` draws the stream's boxes; `hazardAt` is a function: shall the hazard's box show now? */
export function Overlay({ element, camera, incident, live = false, hazardAt = null }) {
  const ref = useRef(null);
  useEffect(() => {
    if (!element || !camera) return undefined;
    const zone = zoneOf(camera, incident?.zone);
    const kind = incident ? pickText(hazardText(incident.kind)) : "";
    const paint = () => {
      const picture = pictureOf(element);
      if (!ref.current || !picture.width) return;
      const heard = live ? boxesOf(camera.id).value : null;
      const boxes = heard && serverNow_s() - heard.heard_s < FORGET_BOXES_S ? heard.boxes : [];
      const hazardBox = incident?.box && hazardAt?.(element) ? incident.box : null;
      draw(ref.current, picture, { boxes, zones: (camera.zones ?? []).map((z) => ({ ...z, name: pick(z) })), incident, zone, hazardBox, hazardLabel: kind, words: wordFor });
    };
    paint();
    const stop = live ? boxesOf(camera.id).subscribe(paint) : () => {};
    const resize = new ResizeObserver(paint);
    resize.observe(ref.current);
    const timer = setInterval(paint, live ? 400 : 200);
    const events = ["load", "loadeddata", "resize", "seeked"];
    for (const name of events) element.addEventListener(name, paint);
    return () => { stop(); resize.disconnect(); clearInterval(timer); for (const name of events) element.removeEventListener(name, paint); };
  }, [element, camera?.id, camera?.zones, incident?.id, incident?.version, incident?.state, live, lang.value]);
  return html`<canvas ref=${ref} class="overlay" aria-hidden="true"></canvas>`;
}
