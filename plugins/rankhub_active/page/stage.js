// The image: zoom, pan, and points in pixels of the image, x right and y down from its top left corner.

const NEAR = 12; // pixels of the screen within which a point is meant
const FIRM = 4; // pixels of the screen that a press may move and still be a click
const CLOSEST = 40; // pixels of the screen per pixel of the image
const LARGEST_FIT = 16;
const STEP = 10; // pixels of the screen that the crosshair moves

const inside = (value, low, high) => Math.min(Math.max(value, low), high);
const exact = (value) => Math.round(value * 100) / 100;

export class Stage {
  /** `changed()` is called when a person changed the points. */
  constructor(frame, picture, canvas, changed) {
    Object.assign(this, { frame, picture, canvas, changed });
    this.takesPoints = false;
    this.locked = false;
    this.clear();
    new ResizeObserver(() => this.resized()).observe(frame);
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    frame.addEventListener("pointerup", (event) => this.release(event));
    frame.addEventListener("pointercancel", () => this.release(null));
    frame.addEventListener("pointerleave", () => this.hover(null));
    frame.addEventListener("contextmenu", (event) => this.rightClick(event));
  }

  clear() {
    this.width = this.height = 0;
    this.points = [];
    this.past = [];
    this.future = [];
    this.held = null; // the press under way
    this.under = -1; // the point under the mouse
    this.cross = null; // the keyboard's position
    this.picture.hidden = true;
    this.draw();
  }

  /** Shows an image of the given size; resolves once it is on the screen, and fails where it cannot be shown. */
  async show(url, width, height, about) {
    this.clear();
    this.picture.src = url;
    this.picture.alt = about;
    await this.picture.decode();
    const { naturalWidth, naturalHeight } = this.picture;
    if (naturalWidth !== width || naturalHeight !== height) {
      throw new Error(`the browser shows ${naturalWidth} x ${naturalHeight} of ${width} x ${height} pixels`);
    }
    Object.assign(this, { width, height });
    this.picture.hidden = false;
    this.fit();
  }

  // --- points

  /** Sets the points without a step to undo. */
  set(points) {
    this.points = points.map(([x, y]) => [x, y]);
    this.past = [];
    this.future = [];
    this.draw();
  }

  edit(points) {
    this.past.push(this.points);
    this.future = [];
    this.points = points;
    this.under = -1;
    this.changed();
    this.draw();
  }

  undo() {
    this.step(this.past, this.future);
  }

  redo() {
    this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length || this.locked) return;
    to.push(this.points);
    this.points = from.pop();
    this.under = -1;
    this.changed();
    this.draw();
  }

  add([x, y]) {
    if (this.locked || !this.width || x < 0 || y < 0 || x > this.width || y > this.height) return;
    this.edit([...this.points, [exact(x), exact(y)]]);
  }

  /** Removes the point that is meant: under the mouse or the crosshair, else the last one. */
  remove() {
    if (this.locked || !this.points.length) return;
    let index = this.under;
    if (index < 0 && this.cross) index = this.nearest(this.toScreen(this.cross));
    this.removeAt(index < 0 ? this.points.length - 1 : index);
  }

  removeAt(index) {
    this.edit(this.points.filter((_, other) => other !== index));
  }

  /** The point nearest to a point of the screen, -1 if none is near. */
  nearest([sx, sy], within = NEAR) {
    let best = -1;
    let least = within;
    this.points.forEach((point, index) => {
      const [px, py] = this.toScreen(point);
      const far = Math.hypot(px - sx, py - sy);
      if (far <= least) [best, least] = [index, far];
    });
    return best;
  }

  // --- the keyboard's crosshair

  /** Moves the crosshair by steps; it begins in the middle of what is seen. */
  steer(right, down) {
    if (!this.width) return;
    const { clientWidth, clientHeight } = this.frame;
    const [x, y] = this.cross ?? this.toImage([clientWidth / 2, clientHeight / 2]);
    const far = STEP / this.scale;
    this.cross = [inside(x + right * far, 0, this.width), inside(y + down * far, 0, this.height)];
    const [sx, sy] = this.toScreen(this.cross);
    this.left += inside(sx, STEP, clientWidth - STEP) - sx; // the view follows
    this.top += inside(sy, STEP, clientHeight - STEP) - sy;
    this.draw();
  }

  addAtCross() {
    if (this.cross) this.add(this.cross);
    else this.steer(0, 0);
  }

  // --- the mouse

  at(event) {
    const box = this.frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  press(event) {
    if (event.target.closest("button") || !this.width || event.button === 2 || this.held) return;
    const start = this.at(event);
    const point = this.takesPoints && event.button === 0 && !this.locked ? this.nearest(start) : -1;
    this.held = { button: event.button, start, point, before: this.points, from: [this.left, this.top], moved: false };
    this.frame.setPointerCapture(event.pointerId);
    this.frame.focus({ preventScroll: true });
    event.preventDefault();
  }

  move(event) {
    const here = this.at(event);
    if (!this.held) return this.hover(here);
    const [right, down] = [here[0] - this.held.start[0], here[1] - this.held.start[1]];
    if (!this.held.moved && Math.hypot(right, down) <= FIRM) return undefined;
    this.held.moved = true;
    if (this.held.point >= 0) {
      const [x, y] = this.toImage(here);
      const to = [exact(inside(x, 0, this.width)), exact(inside(y, 0, this.height))];
      this.points = this.held.before.map((point, index) => (index === this.held.point ? to : point));
    } else {
      [this.left, this.top] = [this.held.from[0] + right, this.held.from[1] + down];
      this.frame.classList.add("panning");
    }
    return this.draw();
  }

  release(event) {
    const held = this.held;
    this.held = null;
    this.frame.classList.remove("panning");
    if (!held) return;
    if (held.point >= 0 && held.moved) {
      const after = this.points;
      this.points = held.before;
      if (event) this.edit(after);
    } else if (event && !held.moved && held.button === 0 && held.point < 0 && this.takesPoints) {
      this.add(this.toImage(held.start));
    }
    this.draw();
  }

  rightClick(event) {
    if (!this.takesPoints || event.target.closest("button")) return;
    event.preventDefault();
    const index = this.nearest(this.at(event), 2 * NEAR);
    if (index >= 0 && !this.locked && !this.held) this.removeAt(index);
  }

  hover(here) {
    const under = here && this.takesPoints ? this.nearest(here) : -1;
    if (under !== this.under) {
      this.under = under;
      this.draw();
    }
  }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    if (!this.held) this.zoom(Math.exp(-event.deltaY * lines * 0.0015), this.at(event));
  }

  // --- zoom and pan

  fit() {
    if (!this.width) return;
    const { clientWidth, clientHeight } = this.frame;
    this.scale = Math.min(clientWidth / this.width, clientHeight / this.height, LARGEST_FIT) || 1;
    this.left = (clientWidth - this.width * this.scale) / 2;
    this.top = (clientHeight - this.height * this.scale) / 2;
    this.fitted = true;
    this.draw();
  }

  /** Zooms by a factor, and leaves what is at a point of the screen there; without one, at the crosshair or the middle. */
  zoom(factor, [sx, sy] = this.centre()) {
    if (!this.width) return;
    const least = Math.min(this.frame.clientWidth / this.width, this.frame.clientHeight / this.height, 1) / 2;
    const scale = inside(this.scale * factor, least, CLOSEST);
    this.left = sx - ((sx - this.left) * scale) / this.scale;
    this.top = sy - ((sy - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
    this.draw();
  }

  centre() {
    return this.cross ? this.toScreen(this.cross) : [this.frame.clientWidth / 2, this.frame.clientHeight / 2];
  }

  resized() {
    if (this.fitted) this.fit();
    else this.draw();
  }

  toImage([sx, sy]) {
    return [(sx - this.left) / this.scale, (sy - this.top) / this.scale];
  }

  toScreen([x, y]) {
    return [x * this.scale + this.left, y * this.scale + this.top];
  }

  // --- drawing

  draw() {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = 0;
      this.paint();
    });
  }

  paint() {
    const sharp = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.frame;
    this.canvas.width = clientWidth * sharp;
    this.canvas.height = clientHeight * sharp;
    if (!this.width) return;
    this.picture.style.transform = `translate(${this.left}px, ${this.top}px) scale(${this.scale})`;
    this.picture.classList.toggle("near", this.scale > 3);
    const pen = this.canvas.getContext("2d");
    pen.scale(sharp, sharp);
    this.points.forEach((point, index) => {
      const strong = index === (this.held?.point >= 0 ? this.held.point : this.under);
      this.mark(pen, this.toScreen(point), strong ? 8 : 5, index === this.points.length - 1 ? "#ffe14d" : "#4de1ff");
    });
    if (this.cross) this.hair(pen, this.toScreen(this.cross));
  }

  /** A ring that is seen on light and on dark ground, with its middle left open. */
  mark(pen, [sx, sy], radius, colour) {
    for (const [style, width] of [["#000000", 4.5], [colour, 2.25]]) {
      pen.beginPath();
      pen.arc(sx, sy, radius, 0, 2 * Math.PI);
      pen.strokeStyle = style;
      pen.lineWidth = width;
      pen.stroke();
    }
  }

  hair(pen, [sx, sy]) {
    for (const [style, width] of [["#000000", 4], ["#ffffff", 1.5]]) {
      pen.beginPath();
      for (const [right, down] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        pen.moveTo(sx + 4 * right, sy + 4 * down);
        pen.lineTo(sx + 16 * right, sy + 16 * down);
      }
      pen.strokeStyle = style;
      pen.lineWidth = width;
      pen.stroke();
    }
  }
}
