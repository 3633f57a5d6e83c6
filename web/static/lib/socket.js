// One WebSocket with jittered back-off. Silence is not health: after a quiet while it asks the server whether it is there.
import { signal } from "@preact/signals";
import { get } from "/static/lib/api.js";
import { deviceNow_s, serverNow_s } from "/static/lib/clock.js";

const FIRST_S = 0.5;
const LONGEST_S = 15;
const QUIET_S = 20;

/** {state: "connecting"|"open"|"lost", since_s, retry_at_s (device clock)} */
export const link = signal({ state: "connecting", since_s: serverNow_s(), retry_at_s: 0 });

export function connect({ onMessage, onOpen }) {
  let socket = null;
  let wait_s = FIRST_S;
  let heard_s = deviceNow_s();
  let timer = 0;
  let stopped = false;
  let watch = [];

  const say = (state, retry_at_s = 0) => {
    const before = link.value;
    link.value = { state, retry_at_s, since_s: before.state === state ? before.since_s : serverNow_s() };
  };
  const open = () => {
    clearTimeout(timer);
    if (stopped) return;
    const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    socket = mine;
    mine.onopen = () => {
      wait_s = FIRST_S;
      heard_s = deviceNow_s();
      say("open");
      mine.send(JSON.stringify({ watch }));
      onOpen();
    };
    mine.onmessage = (event) => {
      heard_s = deviceNow_s();
      onMessage(JSON.parse(event.data));
    };
    mine.onclose = () => {
      if (mine !== socket || stopped) return;
      const after_s = wait_s * (0.7 + 0.6 * Math.random());
      wait_s = Math.min(LONGEST_S, wait_s * 2);
      say("lost", deviceNow_s() + after_s);
      timer = setTimeout(open, after_s * 1000);
      if (after_s > 1) get("/api/v1/session").catch(() => {}); // refused, not unreachable? A dead session leads to the sign-in page
    };
  };
  const check = async () => {
    if (socket?.readyState !== WebSocket.OPEN || deviceNow_s() - heard_s < QUIET_S) return;
    try {
      await get("/api/v1/session");
      heard_s = deviceNow_s();
    } catch {
      socket?.close();
    }
  };
  const checking = setInterval(check, QUIET_S * 500);
  const now = () => { wait_s = FIRST_S; if (socket?.readyState !== WebSocket.OPEN) { socket?.close(); open(); } };
  addEventListener("online", now);
  addEventListener("offline", () => socket?.close());
  open();
  return {
    retry: now,
    watch: (cameras) => {
      watch = cameras;
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ watch }));
    },
    stop: () => { stopped = true; clearInterval(checking); clearTimeout(timer); socket?.close(); },
  };
}
