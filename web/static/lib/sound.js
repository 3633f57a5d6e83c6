// The alarm for a new incident: two quiet tones made here, no file. Browsers keep it mute until a gesture.
import { signal } from "@preact/signals";

const KEY = "callout_sound";
let context = null;

const stored = () => {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
};

/** {wanted: the person's choice, ready: the browser lets us} */
export const sound = signal({ wanted: stored(), ready: false });

export function toggleSound() {
  unlock();
  const wanted = !sound.value.wanted;
  sound.value = { ...sound.value, wanted };
  try {
    localStorage.setItem(KEY, wanted ? "on" : "off");
  } catch { /* for this page only, then */ }
}

function unlock() {
  context ??= new AudioContext();
  context.resume().then(() => { sound.value = { ...sound.value, ready: context.state === "running" }; });
}
for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { once: true });

export function chime() {
  if (!sound.value.wanted || context?.state !== "running") return;
  for (const [i, hz] of [880, 1174.7].entries()) {
    const at = context.currentTime + i * 0.18;
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.001, at + 0.35);
    const tone = new OscillatorNode(context, { type: "sine", frequency: hz });
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.4);
  }
}
