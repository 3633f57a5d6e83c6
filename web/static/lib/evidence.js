// A rule's figures in words: "dwell_s 3.4" is "in the zone for 3 s".
import { duration, percent } from "/static/lib/format.js";
import { t, word } from "/static/lib/i18n.js";

const VERSIONED = /^([a-z_]+)\/(\d+)$/;
const SHARES = new Set(["score", "still", "flicker", "glow", "texture", "unison", "restless", "residual", "colour"]);

/** "intrusion/1" → "Person in a danger zone, version 1". */
export function ruleName(rule) {
  const found = VERSIONED.exec(rule);
  return found ? t("rule.version", { rule: word("rule", found[1]), n: found[2] }) : rule;
}

/** A figure by its name: seconds, a share, a count. */
export function measured(name, value) {
  if (name.endsWith("_s")) return value < 10 ? t("dur.s", { s: Math.round(value * 10) / 10 }) : duration(value);
  if (name === "area") return `${Math.round(value * 10_000) / 100} %`;
  if (SHARES.has(name)) return percent(value);
  return String(Math.round(value * 100) / 100);
}
