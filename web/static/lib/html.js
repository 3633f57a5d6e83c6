// One template tag for every component. Styles are set as objects: a style attribute in markup would be refused by our CSP.
import { h } from "preact";
import htm from "htm";

export { Fragment, render } from "preact";
export const html = htm.bind(h);
export const cx = (...names) => names.filter(Boolean).join(" ");
