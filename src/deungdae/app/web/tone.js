// A soft tone for a new alarm. Off until a person turns it on; browsers want a click before it.

let context = null;

export function isOn() {
  return localStorage.getItem("tone") === "on";
}

export function turn(on) {
  localStorage.setItem("tone", on ? "on" : "off");
  if (!on) return;
  wake();
  chime();
}

export function chime() {
  if (!isOn() || context?.state === "closed" || !context) return;
  const begin = context.currentTime;
  for (const [pitch, after] of [[523, 0], [659, 0.18]]) {
    const [voice, level] = [context.createOscillator(), context.createGain()];
    voice.frequency.value = pitch;
    level.gain.setValueAtTime(0, begin + after);
    level.gain.linearRampToValueAtTime(0.08, begin + after + 0.03);
    level.gain.exponentialRampToValueAtTime(0.0005, begin + after + 0.7);
    voice.connect(level).connect(context.destination);
    voice.start(begin + after);
    voice.stop(begin + after + 0.75);
  }
}

function wake() {
  context ??= new AudioContext();
  context.resume();
}

document.addEventListener("click", () => isOn() && wake());
