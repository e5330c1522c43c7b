// News comes before the history has it: asks when it surely has, whatever comes in between.

const WAITS = [500, 3000]; // ms

export class Soon {
  constructor(act) {
    this.act = act;
    this.timers = [];
  }

  ask() {
    this.stop();
    this.timers = WAITS.map((wait) => setTimeout(this.act, wait));
  }

  stop() {
    for (const timer of this.timers) clearTimeout(timer);
  }
}
