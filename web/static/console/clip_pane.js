// The incident's clip, under the grant; before that its covered picture with the hazard's box.
import { useEffect, useState } from "preact/hooks";
import { html, cx } from "/static/lib/html.js";
import { t } from "/static/lib/i18n.js";
import { At, Button, Chip } from "/static/lib/ui.js";
import { Icon } from "/static/lib/icons.js";
import { clipUrl } from "/static/console/commands.js";
import { grantFor } from "/static/console/live_pane.js";
import { Overlay } from "/static/console/overlay.js";

const BEFORE_EVENT_S = 2;

function Clip({ incident, camera, clip, url }) {
  const [video, setVideo] = useState(null);
  const [error, setError] = useState(false);
  const event_s = Math.max(0, incident.first_seen_s - clip.started_at_s);
  const toEvent = () => { if (video) { video.currentTime = Math.max(0, event_s - BEFORE_EVENT_S); video.play().catch(() => {}); } };
  // The box is the one of the last sighting: it is true of that moment alone.
  const nearLast = (element) => Math.abs(clip.started_at_s + element.currentTime - incident.last_seen_s) < 0.7;
  useEffect(() => setError(false), [url]);
  return html`<div class="screen"><video ref=${setVideo} key=${url} src=${url} muted autoplay loop controls playsinline data-testid="clip-video"
      aria-label=${t("clip.label", { n: incident.number })}
      onError=${() => setError(true)} onLoadedMetadata=${toEvent}></video>
      <${Overlay} element=${video} camera=${camera} incident=${incident} hazardAt=${nearLast} />
      ${error && html`<div class="no-picture wait"><${Icon} name="clock" /><strong>${t("clip.not_yet")}</strong></div>`}</div>
    <div class="pane-foot"><span class="dim">${t("clip.from")} <${At} at=${clip.started_at_s} />${clip.ended_at_s ? html` – <${At} at=${clip.ended_at_s} />` : ""}</span>
      <${Button} testid="clip-event" icon="play" kind="small" onClick=${toEvent}>${t("clip.to_event")}<//></div>`;
}

function clipState({ clips }) {
  const gone = clips.filter((clip) => clip.state === "deleted");
  if (clips.length && gone.length === clips.length) return html`<${Icon} name="clock" /> ${t("clip.deleted")} <${At} at=${gone.at(-1).deleted_at_s} date />`;
  return html`<${Icon} name="lock" /> ${t(clips.length ? "clip.locked" : "clip.none")}`;
}

function CoveredPicture({ incident, camera }) {
  const [image, setImage] = useState(null);
  return html`<div class="screen">${incident.thumbnail
      ? html`<img ref=${setImage} src=${incident.thumbnail} alt=${t("thumb.alt", { n: incident.number })} />
          <${Overlay} element=${image} camera=${camera} incident=${incident} hazardAt=${() => true} />`
      : html`<div class="no-picture" data-testid="no-picture"><${Icon} name="camera" /><strong>
          ${incident.thumbnail_deleted_at_s ? html`${t("deleted")} <${At} at=${incident.thumbnail_deleted_at_s} date />` : t("thumb.none")}</strong></div>`}</div>
    <div class="pane-foot"><span class="dim" data-testid="clip-state">${clipState(incident)}</span></div>`;
}

export function ClipPane({ incident, camera }) {
  const [chosen, setChosen] = useState(null);
  const held = grantFor(incident);
  const clips = incident.clips.filter((clip) => clip.state !== "deleted");
  const clip = clips.find((c) => c.id === chosen) ?? clips.find((c) => c.started_at_s <= incident.first_seen_s && incident.first_seen_s <= (c.ended_at_s ?? Infinity)) ?? clips[0];
  return html`<figure class=${cx("pane", held && clip && "is-clear")}>
    <figcaption><span class="pane-name">${held && clip ? t("clip") : t("picture")} · <${At} at=${incident.first_seen_s} /></span>
      ${held && clips.length > 1 && html`<span class="segments">
        ${clips.map((c, i) => html`<button type="button" key=${c.id} class=${cx("seg", c === clip && "on")} aria-pressed=${c === clip}
          onClick=${() => setChosen(c.id)}>${i + 1}</button>`)}</span>`}
      ${clip?.state === "open" ? html`<${Chip} tone="work" icon="camera">${t("clip.recording")}
        <//>` : held && clip ? html`<${Chip} tone="wait" icon="eye">${t("clear.chip")}<//>` : html`<${Chip} icon="covered">${t("covered.chip")}<//>`}
        </figcaption>
    ${held && clip ? html`<${Clip} key=${`${clip.id}-${clip.state}`} incident=${incident} camera=${camera} clip=${clip} url=${clipUrl(held, clip)} />`
                   : html`<${CoveredPicture} incident=${incident} camera=${camera} />`}
  </figure>`;
}
