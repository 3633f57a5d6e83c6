// Language: two complete dictionaries (their keys are compared by tests/web/test_static.py), chosen by the person, kept
// in a cookie (so that the server's error texts match) and in localStorage.
import { signal } from "@preact/signals";
import en from "/static/lib/i18n.en.js";
import zh from "/static/lib/i18n.zh.js";

const DICTIONARIES = { en, zh };
const HTML_LANG = { en: "en", zh: "zh-CN" };
const YEAR_S = 365 * 24 * 3600;

const stored = () => {
  try {
    return localStorage.getItem("callout_lang");
  } catch {
    return null; // storage may be refused; the cookie is enough
  }
};
const fromCookie = () => /(?:^|;\s*)callout_lang=(en|zh)/.exec(document.cookie)?.[1];
const first = () => fromCookie() ?? (DICTIONARIES[stored()] ? stored() : navigator.language?.startsWith("zh") ? "zh" : "en");

export const lang = signal(first());

export function setLang(next) {
  lang.value = next;
  document.documentElement.lang = HTML_LANG[next];
  document.cookie = `callout_lang=${next}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax`;
  try {
    localStorage.setItem("callout_lang", next);
  } catch { /* the cookie holds it */ }
}

/** The text of a key, with {name} replaced. An unknown key shows itself: visible in review, harmless at night. */
export function t(key, values = {}) {
  const text = DICTIONARIES[lang.value][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The word for a code of an open list (skills, audit actions): the code itself, made readable, where we have no word. */
export const word = (prefix, code) => (`${prefix}.${code}` in en ? t(`${prefix}.${code}`) : String(code).replaceAll("_", " "));

/** The field in the person's language, from records that carry `name` and `name_zh`. */
export const pick = (record, field = "name") =>
  (lang.value === "zh" && record?.[`${field}_zh`]) || record?.[field] || "";

/** The text in the person's language, from records that carry `en` and `zh`. */
export const pickText = (record) => (record ? (lang.value === "zh" && record.zh) || record.en || "" : "");

setLang(lang.value);
