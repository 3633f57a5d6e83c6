// The server's time, as far as a browser can know it. All times of the API are unix seconds of the server's clock.
import { signal } from "@preact/signals";

const TRUSTED_SKEW_S = 2; // a Date header has whole seconds: below this the device's clock is as good as the header

let offset_s = 0;

export const deviceNow_s = () => Date.now() / 1000;
export const serverNow_s = () => deviceNow_s() + offset_s;

/** Unix seconds, ticking once a second: reading it in a component makes the component tick. */
export const now_s = signal(serverNow_s());

/** Learns the difference between the clocks from a response's Date header. */
export function learnServerTime(dateHeader) {
  const server_s = Date.parse(dateHeader ?? "") / 1000;
  if (!Number.isFinite(server_s)) return;
  const difference_s = server_s + 0.5 - deviceNow_s();
  offset_s = Math.abs(difference_s) < TRUSTED_SKEW_S ? 0 : difference_s;
}

setInterval(() => { now_s.value = serverNow_s(); }, 1000);
