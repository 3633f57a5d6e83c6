// Numbers for people: durations, distances, times. Pure but for the ticking `now_s`.
import { now_s } from "/static/lib/clock.js";
import { lang, t } from "/static/lib/i18n.js";

const locale = () => (lang.value === "zh" ? "zh-CN" : "en-GB");
const two = (n) => String(n).padStart(2, "0");

/** 75 → "1 min 15 s"; 4000 → "1 h 6 min". */
export function duration(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return t("dur.s", { s });
  if (s < 600) return s % 60 ? t("dur.min_s", { m: Math.floor(s / 60), s: s % 60 }) : t("dur.min", { m: s / 60 });
  if (s < 3600) return t("dur.min", { m: Math.round(s / 60) });
  if (s < 86400) return t("dur.h_min", { h: Math.floor(s / 3600), m: Math.floor((s % 3600) / 60) });
  return t("dur.d_h", { d: Math.floor(s / 86400), h: Math.floor((s % 86400) / 3600) });
}

/** How long ago, in the one unit that matters: "12 s", "4 min", "2 h 5 min". */
const coarse = (s) => (s < 60 || s >= 3600 ? duration(s) : t("dur.min", { m: Math.floor(s / 60) }));

/** 75 → "1:15", for countdowns. */
export function countdown(seconds) {
  const s = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(s / 60)}:${two(s % 60)}`;
}

export const age = (at_s) => coarse(Math.max(0, now_s.value - at_s));

export const ago = (at_s) => {
  const s = now_s.value - at_s;
  return s < 2 ? t("time.now") : t("time.ago", { d: coarse(s) });
};

export function distance(metres) {
  if (metres == null) return "–";
  if (metres < 100) return `${Math.max(1, Math.round(metres))} m`;
  return metres < 950 ? `${Math.round(metres / 10) * 10} m` : `${(metres / 1000).toFixed(1)} km`;
}

export const clock = (at_s, seconds = true) =>
  new Date(at_s * 1000).toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hour12: false });

export const dateTime = (at_s) =>
  new Date(at_s * 1000).toLocaleString(locale(), { year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export const utc = (at_s) => `${new Date(at_s * 1000).toISOString().replace("T", " ").slice(0, 19)} UTC`;

/** A list in the punctuation of the language. */
export const listed = (words) => words.join(lang.value === "zh" ? "、" : ", ");

export const percent = (share) => `${Math.round(share * 100)} %`;

export const position = (place) => `${place.lat.toFixed(5)}, ${place.lon.toFixed(5)}`;
