// What the page says.

/** How many points, in words. */
export function pointsOf(points) {
  return points.length === 1 ? "1 point" : `${points.length} points`;
}

/** An answer, as a person says it. */
export function inWords(what) {
  if (what.state === "skipped") return "cannot say";
  if (what.state !== "labeled") return "no answer yet";
  return Array.isArray(what.label) ? pointsOf(what.label) : String(what.label);
}

/** Where an answer came from, and when. */
export function byWhom({ source, answered }) {
  return source ? ` (${source}, ${new Date(answered).toLocaleString()})` : "";
}

/** That a round is done. */
export function allAnswered({ images, round }) {
  if (images.length === 1) return `The image of round ${round} is answered.`;
  return `All ${images.length} images of round ${round} are answered.`;
}

/** What the keys and the mouse do for the present kind of answer. */
export function help({ takes, low, high }, hasSteps) {
  const lines = ["Enter: save, and on to the next image without an answer", "S: cannot say", "← →: back and forward"];
  if (takes === "points") {
    lines.push("Click: add a point; drag it to move it", "Right click: remove the nearest point");
    lines.push("Delete or Backspace: remove the point under the mouse, else the last one", "Ctrl+Z, Ctrl+Y: undo, redo");
    lines.push("Shift + arrows: move a crosshair; Space: add a point there");
  } else if (takes === "count") {
    lines.push("+ and −: one more, one less");
  } else if (hasSteps) {
    lines.push(`${low} to ${high}: the score`);
  }
  lines.push(`Wheel${takes === "points" ? ", + and −" : ""}: zoom; drag the image: move it; F: the whole image`);
  return lines;
}
