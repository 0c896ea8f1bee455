// The page: goes through a round, shows an image, and saves its answer before the next.

import { NumberInput } from "./inputs.js";
import { Drafts, Pictures, Refused, Server } from "./server.js";
import { Stage } from "./stage.js";
import { allAnswered, byWhom, help, inWords, pointsOf } from "./words.js";

const byId = (id) => document.getElementById(id);
const GONE = "The server is not there; answers wait and are saved once it is back. Start it again: rankhub label serve";
const ZOOM = 1.4;

const server = new Server((gone) => absent(gone));
const pictures = new Pictures(server);
const drafts = new Drafts();
const stage = new Stage(byId("stage"), byId("picture"), byId("marks"), () => edited());

let round = null; // what the server told of it; its images carry their state
let numbers = null; // the field of scores and counts; null for points
let at = 0; // index in the round
let image = null; // the present image as the server told it; null while it is on its way
let turn = 0; // grows with each image that is shown: what comes late for another one is dropped
let busy = false; // an answer is on its way
let conflict = false; // the person has to choose between two answers
let sureOfNone = false; // was told that no point is set
let before = null; // what was said before the server was missing

// --- what is said

function say(text, kind = "", choices = []) {
  byId("message").className = kind;
  byId("message").setAttribute("role", kind === "bad" ? "alert" : "status");
  byId("said").textContent = text;
  byId("choices").replaceChildren(...choices.map(([words, run]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.onclick = run;
    return button;
  }));
}

function absent(gone) {
  const told = byId("said").textContent === GONE;
  if (gone && !told) {
    before = [byId("said").textContent, byId("message").className];
    say(GONE, "wait");
  } else if (!gone && told) {
    say(...before);
  }
}

function showProgress() {
  const answered = round.images.filter(({ state }) => state !== "asked").length;
  byId("round").textContent = `Round ${round.round}`;
  byId("progress").textContent = `${answered} of ${round.images.length} answered`;
  byId("bar").max = round.images.length;
  byId("bar").value = answered;
}

function showState() {
  byId("path").textContent = round.images[at].path;
  byId("state").textContent = `image ${at + 1}${image ? `, ${inWords(image)}` : ""}`;
  byId("back").disabled = at === 0;
  byId("forward").disabled = at === round.images.length - 1;
  if (!numbers) byId("many").textContent = pointsOf(stage.points);
}

// --- the answer in hand

const answer = () => (numbers ? numbers.value : stage.points);

function setAnswer(value) {
  if (numbers) numbers.set(value);
  else stage.set(value);
  sureOfNone = false;
  showState();
}

const labelOf = (what) => (numbers ? String(what.label ?? "") : what.label ?? []);

function edited() {
  if (!image) return;
  sureOfNone = false;
  drafts.write(image.id, image.version, answer());
  if (!conflict) say("");
  showState();
}

function lock(locked) {
  busy = locked;
  stage.locked = locked;
  byId("fields").disabled = locked;
  if (locked) return;
  byId("save").disabled = Boolean(image?.problem);
  byId("skip").disabled = false;
  showState();
}

// --- going through the round

/** Shows an image; with `onward`, passes over one that another window or a file answered meanwhile. */
async function show(index, onward = false) {
  const mine = ++turn;
  at = index;
  image = null;
  conflict = false;
  stage.clear();
  byId("problem").hidden = true;
  setAnswer(numbers ? "" : []);
  const { id } = round.images[at];
  const near = [at, at + 1, at - 1].map((index) => round.images[index]?.id).filter((other) => other !== undefined);
  pictures.keep(near);
  try {
    const url = pictures.take(id);
    url.catch(() => {}); // told below, or known from the image's own problem
    const found = await server.get(`api/images/${id}`);
    if (mine !== turn) return;
    round.images[at].state = found.state;
    if (onward && found.state !== "asked") {
      next();
      return;
    }
    if (!found.problem) await display(found, url);
    if (mine !== turn) return;
    image = found;
  } catch (error) {
    if (mine === turn) failed(error, () => show(index, onward));
    return;
  }
  begin();
  if (round.images[at + 1]) pictures.take(round.images[at + 1].id).catch(() => {});
}

/** Puts an image on the stage, or notes why that cannot be. */
async function display(found, url) {
  try {
    await stage.show(await url, found.width, found.height, `Image ${found.path}`);
  } catch (error) {
    if (error instanceof Refused && error.status !== 404) throw error;
    found.problem = error instanceof Refused ? error.message : `${found.path} cannot be shown here: ${error.message}`;
  }
}

function begin() {
  const draft = drafts.read(image.id);
  setAnswer(labelOf(image));
  byId("problem").hidden = !image.problem;
  byId("problem").textContent = image.problem ?? "";
  lock(false);
  showProgress();
  showState();
  if (image.problem) {
    stage.clear();
    say("This image can only be skipped, with S, or left for later.", "bad");
  } else if (draft && draft.version === image.version) {
    setAnswer(draft.value);
    say("Not saved yet.", "wait");
  } else if (draft) {
    const mine = () => take(draft.value);
    disagree(`This image got the answer ${inWords(image)}${byWhom(image)} while yours was unfinished.`, mine);
  }
  if (!conflict) focusInput();
}

/** Two answers: the one in the table, and one that the person has in hand. */
function disagree(sentence, mine) {
  conflict = true;
  byId("save").disabled = byId("skip").disabled = true;
  say(sentence, "bad", [
    ["Keep that answer", () => {
      drafts.drop(image.id);
      say("Kept.");
      show(at);
    }],
    ["Use mine", () => {
      settle();
      mine();
    }],
  ]);
  byId("choices").firstElementChild.focus();
}

function settle() {
  conflict = false;
  byId("save").disabled = byId("skip").disabled = false;
}

function take(value) {
  setAnswer(value);
  edited();
  say("Not saved yet.", "wait");
  focusInput();
}

function go(by) {
  const index = at + by;
  if (busy || !round.images[index]) return;
  say("");
  show(index);
}

function next() {
  const { images } = round;
  const after = [...images.keys()].map((step) => (at + 1 + step) % images.length);
  const index = after.find((position) => images[position].state === "asked");
  if (index === undefined) finish();
  else show(index, true);
}

// --- saving

function submit() {
  if (busy || conflict || !image || image.problem) return;
  const value = answer();
  if (numbers && value === "") {
    say(`There is no ${round.takes} yet: type it, or press S if you cannot say.`, "bad");
    focusInput();
  } else if (!numbers && !value.length && !sureOfNone && image.state !== "labeled") {
    sureOfNone = true;
    say("No point is set: press Enter again if there is nothing to mark in this image.", "wait");
  } else {
    send({ label: value });
  }
}

function skip() {
  if (!busy && !conflict && image) send({ skip: true });
}

async function send(told) {
  const { id, path, version } = image;
  lock(true);
  say("Saving …");
  try {
    const saved = await server.post(`api/images/${id}`, { version, ...told });
    drafts.drop(id);
    round.images[at].state = saved.state;
    showProgress();
    say(`Saved: ${path}, ${inWords(saved)}.`, "good");
    lock(false);
    next();
  } catch (error) {
    lock(false);
    if (error instanceof Refused && error.image) {
      image = error.image;
      round.images[at].state = image.state;
      showProgress();
      showState();
      disagree(`${error.message}: ${inWords(image)}${byWhom(image)}.`, () => send(told));
    } else {
      failed(error, () => send(told));
    }
  }
}

function failed(error, again) {
  if (!(error instanceof Refused)) throw error;
  say(error.message, "bad", error.status === 422 ? [] : [["Try again", again]]);
  if (image) focusInput();
}

// --- begin and end

async function start() {
  round = await server.get("api/round").catch((error) => failed(error, start));
  if (!round) return;
  numbers = round.takes === "points" ? null : new NumberInput(round, () => edited());
  stage.takesPoints = !numbers;
  byId("stage").classList.toggle("points", !numbers);
  byId("points").hidden = Boolean(numbers);
  byId("help").replaceChildren(...help(round, Boolean(numbers?.hasSteps)).map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
  const first = round.images.findIndex(({ state }) => state === "asked");
  if (first < 0) finish();
  else open(first);
}

function open(index) {
  byId("work").hidden = byId("answer").hidden = false;
  byId("done").hidden = true;
  showProgress();
  show(index);
}

function finish() {
  turn += 1;
  image = null;
  stage.clear();
  byId("work").hidden = byId("answer").hidden = true;
  byId("done").hidden = false;
  byId("path").textContent = byId("state").textContent = "";
  const many = round.images.length;
  byId("review").hidden = !many;
  const code = document.createElement("code");
  if (many) {
    showProgress();
    byId("finished").textContent = allAnswered(round);
    code.textContent = `rankhub label train${round.flag}`;
    byId("then").replaceChildren("Now: ", code, " – this tab may be closed.");
  } else {
    byId("finished").textContent = "No image was asked for yet.";
    code.textContent = `rankhub label next${round.flag}`;
    byId("then").replaceChildren("Choose some: ", code);
  }
  byId("done").focus();
  if (many) lookForMore();
}

/** An image may have come back to this round, or an older round may have some that were left. */
async function lookForMore() {
  const mine = turn;
  const found = await server.get("api/round").catch((error) => failed(error, lookForMore));
  const waiting = found?.images.filter(({ state }) => state === "asked").length;
  if (mine === turn && waiting) say(`${waiting} of the images of round ${found.round} still wait.`, "wait");
}

/** Where the keys of the present kind of answer go. */
function focusInput() {
  if (numbers && !numbers.hasSteps) numbers.focus();
  else byId("stage").focus({ preventScroll: true });
}

// --- keys and buttons

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What a key does here; true if it is used up. */
function key(event) {
  const typing = event.target === byId("value");
  const { key: name } = event;
  if (event.ctrlKey || event.metaKey) return !numbers && travel(name.toLowerCase(), event.shiftKey);
  if (event.altKey || event.target.closest("summary")) return false;
  if (event.target.closest("button") && (name === "Enter" || name === " ")) return false;
  if (name === "Enter") return event.repeat || (submit(), true);
  if (name.toLowerCase() === "s") return event.repeat || (skip(), true);
  if (name.toLowerCase() === "f") return stage.fit(), true;
  if (event.shiftKey && !numbers && ARROWS[name]) return stage.steer(...ARROWS[name]), true;
  if (name === "ArrowLeft" || name === "ArrowRight") {
    if (event.target === byId("slider") || (typing && numbers.edited) || event.shiftKey) return false;
    return go(ARROWS[name][0]), true;
  }
  if (busy || !image) return false;
  if (numbers) return keyOfNumber(name, typing);
  if (name === "Delete" || name === "Backspace") return stage.remove(), true;
  if (name === " ") return stage.addAtCross(), true;
  return zoomed(name);
}

function keyOfNumber(name, typing) {
  if (numbers.counts && (name === "+" || name === "=")) return numbers.count(1), true;
  if (numbers.counts && name === "-") return numbers.count(-1), true;
  if (typing) return false;
  if (numbers.hasSteps && /^[0-9]$/.test(name)) return numbers.choose(Number(name)), true;
  if (/^[0-9.,-]$/.test(name)) numbers.focus(); // the field then takes the key
  return false;
}

function travel(name, shift) {
  if (name === "y" || (name === "z" && shift)) return stage.redo(), true;
  return name === "z" && (stage.undo(), true);
}

function zoomed(name) {
  if (name === "+" || name === "=") return stage.zoom(ZOOM), true;
  return name === "-" && (stage.zoom(1 / ZOOM), true);
}

document.addEventListener("keydown", (event) => {
  if (!byId("work").hidden && key(event)) event.preventDefault();
});
byId("answer").addEventListener("submit", (event) => {
  event.preventDefault();
  submit();
});
for (const [id, run] of Object.entries({
  back: () => go(-1),
  forward: () => go(1),
  skip,
  undo: () => stage.undo(),
  last: () => stage.points.length && !stage.locked && stage.removeAt(stage.points.length - 1),
  in: () => stage.zoom(ZOOM),
  out: () => stage.zoom(1 / ZOOM),
  fit: () => stage.fit(),
  review: () => open(round.images.length - 1),
  again: () => location.reload(),
})) byId(id).addEventListener("click", run);
document.addEventListener("click", (event) => {
  // A button that was clicked by mouse does not keep the focus: Enter shall save, not press it again.
  const pressed = event.detail > 0 && event.target.closest("#answer button, #zoom button, #slider");
  if (pressed && image && !conflict) focusInput();
});
window.addEventListener("beforeunload", (event) => {
  if (busy) event.preventDefault();
});

start();
