// One template tag for every component. Styles are set as objects: a style attribute in markup would be refused by our CSP.
import { h, render } from "preact";
import htm from "htm";

export const html = htm.bind(h);

/** Puts a component in the page's place, in lieu of what stood there while it loaded. */
export function mount(component) {
  const root = document.getElementById("app");
  root.replaceChildren();
  render(component, root);
}

export const cx = (...names) => names.filter(Boolean).join(" ");
