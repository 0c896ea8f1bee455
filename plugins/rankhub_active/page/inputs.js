// The number of an answer: a field, with a slider and number keys for scores of a known range, + and - for counts.

const byId = (id) => document.getElementById(id);
const MOST_STEPS = 10;

export class NumberInput {
  /** `settings` are what the server tells of a round; `changed()` is called when a person changed the number. */
  constructor(settings, changed) {
    this.counts = settings.takes === "count";
    this.changed = changed;
    this.field = byId("value");
    this.slider = byId("slider");
    this.edited = false; // since the image came: then the arrow keys move within the field
    byId("number").hidden = false;
    byId("asked").textContent = this.question(settings);
    this.field.oninput = () => this.typed();
    if (this.counts) this.makeCounter();
    else this.makeScale(settings);
  }

  question({ low, high, unit, higher_is_better: up }) {
    if (this.counts) return `Count${unit ? `: ${unit}` : ""}`;
    const words = [unit ? `Score: ${unit}` : "Score"];
    if (low !== null && high !== null) words.push(`${low} to ${high}`);
    else if (low !== null) words.push(`at least ${low}`);
    else if (high !== null) words.push(`at most ${high}`);
    words.push(up ? "higher is better" : "lower is better");
    return words.join(", ");
  }

  makeCounter() {
    this.field.inputMode = "numeric";
    for (const [id, change] of [["less", -1], ["more", 1]]) {
      byId(id).hidden = false;
      byId(id).onclick = () => this.count(change);
    }
  }

  makeScale({ low, high }) {
    if (low === null || high === null || !(high > low)) return;
    const step = 10 ** Math.floor(Math.log10((high - low) / 100) + 1e-9);
    Object.assign(this.slider, { min: low, max: high, step, hidden: false });
    this.slider.setAttribute("aria-label", "Score");
    this.digits = Math.max(0, -Math.round(Math.log10(step)));
    for (const [id, value] of [["low", low], ["high", high]]) {
      byId(id).hidden = false;
      byId(id).textContent = value;
    }
    this.slider.oninput = () => this.slid();
    this.slider.onclick = () => this.slid(); // a click where the slider stands is an answer too
    if (Number.isInteger(low) && Number.isInteger(high) && low >= 0 && high < MOST_STEPS) this.makeSteps(low, high);
  }

  slid() {
    this.field.value = String(Number(Number(this.slider.value).toFixed(this.digits)));
    this.typed();
  }

  makeSteps(low, high) {
    this.low = low;
    this.high = high;
    const buttons = byId("steps");
    buttons.hidden = false;
    buttons.replaceChildren();
    for (let score = low; score <= high; score += 1) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = score;
      button.onclick = () => this.choose(score);
      buttons.append(button);
    }
  }

  /** Whether single number keys are scores. */
  get hasSteps() {
    return this.high !== undefined;
  }

  choose(score) {
    if (!(score >= this.low && score <= this.high)) return false;
    this.field.value = String(score);
    this.typed();
    return true;
  }

  count(change) {
    const now = Number(this.field.value.trim() || 0);
    this.field.value = String(Number.isFinite(now) ? Math.max(0, Math.round(now) + change) : Math.max(0, change));
    this.typed();
  }

  typed() {
    this.edited = true;
    this.follow();
    this.changed();
  }

  /** The slider and the steps show what the field says. */
  follow() {
    const value = this.value;
    const number = value === "" ? NaN : Number(value);
    this.slider.classList.toggle("unset", Number.isNaN(number));
    this.slider.value = Number.isNaN(number) ? (Number(this.slider.min) + Number(this.slider.max)) / 2 : number;
    this.slider.setAttribute("aria-valuetext", Number.isNaN(number) ? "no score yet" : String(number));
    for (const button of byId("steps").children) {
      button.setAttribute("aria-pressed", String(Number(button.textContent) === number));
    }
  }

  /** What is in the field; a comma counts as the decimal point. */
  get value() {
    return this.field.value.trim().replace(",", ".");
  }

  set(value) {
    this.field.value = value;
    this.edited = false;
    this.follow();
  }

  focus() {
    this.field.focus({ preventScroll: true });
    this.field.select();
  }
}
