"use strict";
// The data lists where something happens in each scene, and the texts of each box and row with their first scenes.
// This script computes nothing: it looks up what is known in a scene. Texts are never read as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const { scenes, boxes, rows, places, files } = data;
const $ = (id) => document.getElementById(id);
const last = scenes.length - 1;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let now = -1;
let knownUntil = -1;  // while a question is open, its own scene is not known
let timer = 0;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// -- numbers and formulas -------------------------------------------------------------------------------------------

const exact = () => $("digits").checked;
const brief = (number) => (typeof number === "string" ? number : number[0]);
const full = (number) => (typeof number === "string" ? number : number[1]);
const minus = (text) => text.replace(/-/g, "−");
const digits = (number) => minus(exact() ? full(number) : brief(number));

const TAGS = new Set(["mrow", "mi", "mn", "mo", "mtext", "mfrac", "msub", "msup", "msqrt", "mroot"]);
const BETWEEN = new Set(["=", "+=", "+", "×", "·"]);
function math(tree) {
  if (!TAGS.has(tree[0])) throw new Error("no formula");
  const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", tree[0]);
  if (tree[0] === "mn" && tree.length === 3) {
    made.textContent = digits(tree.slice(1));
    made.setAttribute("data-exact", tree[2]);
  } else {
    for (const child of tree.slice(1)) made.append(typeof child === "string" ? child : math(child));
  }
  if (tree[0] === "mo" && BETWEEN.has(tree[1])) {  // even at the beginning of a line
    for (const side of ["lspace", "rspace"]) made.setAttribute(side, "0.25em");
  }
  return made;
}

function formula(pieces, kind = "formula") {
  const line = element("div", { class: kind });
  for (const piece of pieces) {
    const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", "math");
    made.setAttribute("displaystyle", "true");
    made.append(math(piece));
    line.append(made, " ");
  }
  return line;
}

// -- the picture ----------------------------------------------------------------------------------------------------

const svg = document.querySelector("#picture > svg");
const [, , wide, high] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
svg.setAttribute("role", "group");
svg.setAttribute("aria-label", "graph, with a button for each box");
svg.removeAttribute("width");
svg.removeAttribute("height");
svg.style.setProperty("--wide", `${wide}px`);
for (const title of svg.querySelectorAll("g.graph > title")) title.remove();
for (const edge of svg.querySelectorAll(".edge")) edge.setAttribute("aria-hidden", true);  // the chain rule says it
for (const text of svg.querySelectorAll(".edge text")) text.textContent = minus(text.textContent);

function centred(text, cell) {
  const across = cell.getAttribute("points").split(" ").map((point) => Number(point.split(",")[0]));
  text.setAttribute("text-anchor", "middle");
  text.setAttribute("x", (Math.min(...across) + Math.max(...across)) / 2);
}

for (const box of boxes) {
  box.group = document.getElementById(box.id);
  const texts = box.group.querySelectorAll(":scope > text");
  const cells = box.group.querySelectorAll(":scope > polygon:not([fill=none])");
  [box.value, box.gradient] = [texts[texts.length - 2], texts[texts.length - 1]];
  box.cell = cells[cells.length - 1];
  centred(box.value, cells[cells.length - 2]);
  centred(box.gradient, box.cell);
  box.title = box.group.querySelector(":scope > title");
  box.about = box.title.textContent;
  box.group.setAttribute("role", "button");
  box.group.setAttribute("tabindex", "0");
  box.group.classList.add("box");
  const go = () => {
    const backward = box.backward >= 0 && now >= data.start;
    show(backward && now === box.backward ? box.forward : backward ? box.backward : box.forward);
  };
  box.group.addEventListener("click", go);
  box.group.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    go();
  });
}

const ways = new Map();  // each arrow with the scenes in which something goes along it
scenes.forEach((scene, number) => {
  for (const id of scene.ways) {
    if (!ways.has(id)) ways.set(id, { group: document.getElementById(id), forward: -1, backward: -1 });
    const way = ways.get(id);
    const phase = number < data.start ? "forward" : "backward";
    if (way[phase] < 0) way[phase] = number;
  }
});

for (const { group } of ways.values()) {  // a second head, for the way back
  const path = group.querySelector("path");
  const [tip, base] = [path.getPointAtLength(0), path.getPointAtLength(9)];
  const [x, y] = [(base.x - tip.x) * 0.42, (base.y - tip.y) * 0.42];
  const head = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  head.setAttribute("class", "back");
  head.setAttribute("points", `${tip.x},${tip.y} ${base.x - y},${base.y + x} ${base.x + y},${base.y - x}`);
  group.append(head);
}

// The last of the entries [scene, ...] that has happened by now: they are sorted.
function known(entries) {
  let [from, to] = [0, entries.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (entries[middle][0] <= knownUntil) from = middle + 1;
    else to = middle;
  }
  return from ? entries[from - 1] : null;
}

const unfinished = (entries, entry) => entry && entry !== entries[entries.length - 1];

function paint(target, entry, more) {
  target.setAttribute("class", `gradient ${entry ? entry[2] : "none"}${more ? " unfinished" : ""}`);
  target.style.setProperty("--depth", `${entry ? entry[3] : 0}%`);
}

function fill(box, scene, number) {
  const [value, gradient] = [known(box.values), known(box.gradients)];
  box.value.textContent = value ? box.before[0] + minus(brief(value[1])) : "";
  box.gradient.textContent = gradient ? box.before[1] + minus(brief(gradient[1])) : "";
  const more = unfinished(box.gradients, gradient);
  paint(box.cell, gradient, more);
  box.gradient.classList.toggle("unfinished", Boolean(more));
  const at = scene.at.includes(number);
  const to = scene.to.includes(number);
  box.group.classList.toggle("at", at);
  box.group.classList.toggle("to", to);
  box.group.classList.toggle("unknown", !value);
  if (at) box.group.setAttribute("aria-current", "step");
  else box.group.removeAttribute("aria-current");
  const says = `value ${value ? full(value[1]) : "not yet"}, gradient ${gradient ? full(gradient[1]) : "not yet"}${more ? " so far" : ""}`;
  box.group.setAttribute("aria-label", `${box.name}: ${says}`);
  box.title.textContent = `${box.about}\n${says.replace(", ", "\n")}`;
}

let scale = 1;
function size(factor) {
  scale = Math.min(Math.max(factor, 0.2), 4);
  svg.style.setProperty("--scale", scale);
}

function fit() {
  const area = $("picture");
  const style = getComputedStyle(area);
  const room = area.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const tall = area.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  size(Math.min(Math.max(Math.min(room / wide, tall / high), 0.6), 2));
  follow();
}

// Scrolls to parts of an element, or to the last of them, without moving the page.
function reveal(area, targets, smooth) {
  const outer = area.getBoundingClientRect();
  const boxes = targets.map((target) => target.getBoundingClientRect());
  const ends = (some) => [
    Math.min(...some.map(({ left }) => left)), Math.max(...some.map(({ right }) => right)),
    Math.min(...some.map(({ top }) => top)), Math.max(...some.map(({ bottom }) => bottom)),
  ];
  let [left, right, top, bottom] = ends(boxes);
  if (left >= outer.left && right <= outer.right && top >= outer.top && bottom <= outer.bottom) return;
  if (right - left > area.clientWidth || bottom - top > area.clientHeight) [left, right, top, bottom] = ends(boxes.slice(-1));
  area.scrollBy({
    left: (left + right) / 2 - outer.left - area.clientWidth / 2,
    top: (top + bottom) / 2 - outer.top - area.clientHeight / 2,
    behavior: smooth && !calm.matches ? "smooth" : "instant",
  });
}

function follow(smooth = false) {
  const scene = scenes[now];
  if (scene) reveal($("picture"), [...scene.to, ...scene.at].map((number) => boxes[number].group), smooth && !timer);
}

// -- the source -----------------------------------------------------------------------------------------------------

for (const file of files) {
  file.lines = new Map();
  const list = element("ol", { class: "listing" });
  for (const [first, texts] of file.runs) {
    if (list.lastChild || first > 1) list.append(element("li", { class: "gap", "aria-hidden": "true" }, "⋯"));
    texts.forEach((text, offset) => {
      const code = element("code", {}, text);
      const line = element("li", {}, element("span", { class: "number", "aria-hidden": "true" }, String(first + offset)), code);
      file.lines.set(first + offset, { line, code, text });
      list.append(line);
    });
  }
  file.area = element("section", { class: "file", "aria-label": file.name }, element("h3", {}, file.name), list);
  $("files").append(file.area);
}
if (!files.length) {
  const how = element("code", {}, "with am.provenance(calls=True):");
  $("files").append(element("p", { class: "empty" }, "The source is not known. Record the computation inside ", how, " to see your program here."));
}

let marked = [];
function mark(number) {
  for (const entry of marked) {
    entry.code.replaceChildren(entry.text);
    entry.line.className = "";
    entry.line.removeAttribute("aria-current");
  }
  const pieces = new Map();  // the marks on each line
  const marks = number < 0 ? [] : places[number];
  marks.forEach(({ file, spans }, depth) => {
    for (const [line, from, to] of spans) {
      const entry = files[file].lines.get(line);
      if (!entry) continue;
      if (!pieces.has(entry)) pieces.set(entry, []);
      pieces.get(entry).push({ from, to, kind: depth ? "call" : "here" });
    }
  });
  for (const [entry, found] of pieces) {
    const ends = [...new Set([0, entry.text.length, ...found.flatMap(({ from, to }) => [from, to])])];
    const cuts = ends.filter((end) => end <= entry.text.length).sort((a, b) => a - b);
    entry.code.replaceChildren();
    for (let i = 1; i < cuts.length; i++) {
      const text = entry.text.slice(cuts[i - 1], cuts[i]);
      const over = found.filter(({ from, to }) => from <= cuts[i - 1] && cuts[i] <= to);
      const kind = over.some((piece) => piece.kind === "here") ? "here" : over.length ? "call" : "";
      entry.code.append(kind ? element("mark", { class: kind }, text) : text);
    }
    const here = found.some(({ kind }) => kind === "here");
    entry.line.className = here ? "here" : "call";
    if (here) entry.line.setAttribute("aria-current", "location");
  }
  marked = [...pieces.keys()];
  $("calls").replaceChildren(...marks.map(({ file, words, spans }, depth) => {
    const line = spans.length ? `, line ${spans[0][0]}` : "";
    const text = `${words}${files.length > 1 ? `, ${files[file].name}` : ""}${line}`;
    return element("li", { class: depth ? "call" : "here" }, text);
  }));
  const used = new Set(marks.map(({ file }) => file));
  files.forEach((file, index) => {
    file.area.hidden = used.size > 0 && !used.has(index);
    file.area.style.order = marks.length && marks[0].file === index ? 0 : 1;
    for (const { line } of file.lines.values()) line.classList.toggle("far", used.size > 0);
    for (const number of [...file.lines].filter(([, entry]) => marked.includes(entry)).map(([line]) => line))
      for (let near = number - 3; near <= number + 3; near++) file.lines.get(near)?.line.classList.remove("far");
  });
  const here = document.querySelector("#files li.here");
  if (here) reveal($("files"), [here], false);
}

// -- the table ------------------------------------------------------------------------------------------------------

const body = document.querySelector("#gradients tbody");
for (const row of rows) {
  row.value = element("td");
  row.gradient = element("td");
  row.chip = element("span");
  row.gradient.append(row.chip);
  const name = element("th", { scope: "row", class: row.leaf ? "leaf" : "result" }, row.name);
  row.line = element("tr", {}, name, row.value, row.gradient);
  body.append(row.line);
}
$("gradients").hidden = !rows.length;
$("rest").textContent = data.rest;
$("note").textContent = data.note;
for (const [number, kind, depth] of [...data.scale, ["nan, inf", "broken", 100]]) {
  const entry = element("li", {}, minus(brief(number)));
  paint(entry, [0, number, kind, depth]);
  $("legend").append(entry);
}

for (const [kind, text] of [["at", "now"], ["to", "receives"], ["more", "italic: more to be added"], ["", "on an arrow: local derivative"]])
  $("legend").append(element("li", { class: `say ${kind}` }, text));

function write(row) {
  const [value, gradient] = [known(row.values), known(row.gradients)];
  row.value.textContent = value ? digits(value[1]) : "–";
  row.chip.textContent = gradient ? digits(gradient[1]) : "–";
  row.value.title = value ? full(value[1]) : "not yet";
  row.gradient.title = gradient ? full(gradient[1]) : "nothing has arrived";
  paint(row.chip, gradient, unfinished(row.gradients, gradient));
  const changes = (value && value[0] === knownUntil) || (gradient && gradient[0] === knownUntil);
  row.line.classList.toggle("changes", Boolean(changes));
  if (changes) row.line.setAttribute("aria-current", "true");
  else row.line.removeAttribute("aria-current");
  return changes;
}

// -- a quiz ---------------------------------------------------------------------------------------------------------

const answered = new Set();  // scenes; whatever was shown
const quizzes = scenes.some((scene) => scene.quiz);
const tally = { asked: new Set(), right: 0, tried: false };
const isOpen = (scene) => scene.quiz && !answered.has(now);
const near = (a, b) => a === b || Math.abs(a - b) <= Number(data.near) * Math.abs(b);

function typed(text) {  // as `quiz.typed` reads it
  const one = "([+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?)";
  const found = new RegExp(`^${one}(?:/${one})?$`).exec(text.replace(/\s/g, "").replace(/,/g, ".").replace(/−/g, "-"));
  if (!found || (found[2] && Number(found[2]) === 0)) return null;
  return Number(found[1]) / Number(found[2] || 1);
}

function pose(scene) {
  const asks = isOpen(scene);
  $("quiz").hidden = !quizzes || now < data.start;
  document.querySelector("[data-do=answer]").textContent = asks ? "check" : "next";
  document.querySelector("[data-do=reveal]").hidden = !asks;
  if (!asks) return;
  if (!tally.asked.has(now)) tally.tried = false;
  tally.asked.add(now);
  $("answer").value = "";
  $("said").textContent = "";
}

function say(text) {
  const score = `${tally.right} of ${tally.asked.size} right at the first try`;
  $("said").textContent = minus(text ? `${text} ${isOpen(scenes[now]) ? "" : score}` : score);
}

function judge() {
  const { quiz } = scenes[now];
  if (!isOpen(scenes[now])) return show(now + 1);
  const number = typed($("answer").value);
  if (number === null) return say("Type a number, such as -0.25 or -1/4.");
  if (!near(number, Number(quiz.answer))) {
    tally.tried = true;
    const slip = quiz.slips.find(([wrong]) => near(number, Number(wrong)));
    return say(slip ? slip[1] : quiz.otherwise);
  }
  if (!tally.tried) tally.right += 1;
  answered.add(now);
  show(now);
  say("Right.");
}

function giveUp() {
  answered.add(now);
  show(now);
  say("");
}

function worksheet() {
  for (const { quiz, formula: whole } of scenes.filter((scene) => scene.quiz)) {
    const blanks = ["= ", "total "].map((word) => element("span", { class: "blank" }, word));
    const asked = formula(quiz.formula.slice(0, -1), "formula asked");
    asked.append(...blanks);
    $("tasks").append(element("li", {}, formula(quiz.about, "formula about"), asked));
    $("answers").append(element("li", {}, formula(whole, "formula solved")));
  }
  $("worksheet").hidden = false;
  let before = 0;
  addEventListener("beforeprint", () => {  // all numbers, no gradient, nothing marked
    before = now;
    show(data.start - 1, false);
    mark(-1);
  });
  addEventListener("afterprint", () => show(before, false));
}

// -- a moment -------------------------------------------------------------------------------------------------------

function show(number, remember = true) {
  now = Math.min(Math.max(number, 0), last);
  const scene = scenes[now];
  const asks = isOpen(scene);
  knownUntil = asks ? now - 1 : now;
  const steps = scene.first === undefined ? `step ${scene.step}` : `steps ${scene.first}–${scene.step}`;
  document.body.dataset.phase = now < data.start ? "forward" : "backward";
  $("phase").textContent = scene.phase;
  $("count").textContent = `${steps} of ${data.steps - 1}`;
  const said = asks ? scene.quiz.text : scene.words;
  $("words").textContent = minus(said);
  $("slider").value = now;
  $("slider").setAttribute("aria-valuetext", `${steps} of ${data.steps - 1}, ${scene.phase}: ${said}`);
  boxes.forEach((box, index) => fill(box, scene, index));
  const going = new Set(scene.ways);
  for (const [id, { group, forward, backward }] of ways) {
    const past = [forward >= 0 && forward <= now ? "known" : "unknown", backward >= 0 && backward <= knownUntil ? "passed" : ""];
    group.setAttribute("class", `edge ${past.join(" ")} ${going.has(id) ? "going" : ""}`);
  }
  const changed = rows.filter(write).map(({ line }) => line);
  const lines = [];
  for (let i = Math.max(scene.turn, now - 7); i <= knownUntil; i++) lines.push(formula(scenes[i].formula));
  if (asks) lines.push(formula(scene.quiz.about), formula(scene.quiz.formula));
  lines[lines.length - 1].classList.add("now");
  lines[lines.length - 1].setAttribute("aria-current", "step");
  if (scene.turn < now - 7) lines.unshift(element("p", { class: "empty" }, `${now - 7 - scene.turn} contributions before`));
  if (scene.slopes.length) {
    const slopes = formula(scene.slopes, "slopes");
    slopes.prepend(element("span", {}, "local derivatives, for the way back: "));
    lines.push(slopes);
  }
  $("formulas").replaceChildren(...lines);
  $("formulas").scrollTop = $("formulas").scrollHeight;
  mark(scene.place);
  pose(scene);
  follow(remember);
  if (changed.length) reveal($("gradients"), changed, remember && !timer);
  for (const button of document.querySelectorAll("[role=toolbar] :is([data-do=first], [data-do=back])")) dim(button, now === 0);
  for (const button of document.querySelectorAll("[role=toolbar] :is([data-do=next], [data-do=last])")) dim(button, now === last);
  if (!remember) return;
  try {
    history.replaceState(null, "", `#step=${scene.step}`);
  } catch { /* in a frame of a notebook, which has no address */ }
}

const dim = (button, off) => button.setAttribute("aria-disabled", off);  // not disabled: the focus would be lost

// Go to the end of the current turn or scope, or from there to the end of the next; back: to the end of the last one.
function beside(key, direction) {
  const same = (one, other) => one >= 0 && other <= last && key(scenes[one]) === key(scenes[other]);
  let target = now;
  if (direction < 0) while (same(target, now)) target -= 1;
  else if (!same(target, target + 1)) target += 1;
  while (direction > 0 && same(target, target + 1)) target += 1;
  return target;
}
const turn = (scene) => scene.turn;
const scope = (scene) => `${scene.phase} ${scene.scope}`;

function play(on) {
  clearInterval(timer);
  timer = 0;
  if (on) {
    if (now === last) show(0);
    timer = setInterval(() => {
      if (now < last) show(now + 1);
      if (now === last || isOpen(scenes[now])) play(false);
    }, Number($("speed").value));
  }
  document.body.classList.toggle("playing", on);
  $("play").querySelector("span").textContent = on ? "pause" : "play";
  $("words").setAttribute("aria-live", on ? "off" : "polite");
}

const act = {
  first: () => show(0), last: () => show(last), next: () => show(now + 1), back: () => show(now - 1),
  start: () => show(data.start), phase: () => show(now < data.start ? data.start : 0), play: () => play(!timer),
  nodeNext: () => show(beside(turn, 1)), nodeBack: () => show(beside(turn, -1)),
  scopeNext: () => show(beside(scope, 1)), scopeBack: () => show(beside(scope, -1)),
  larger: () => { size(scale * 1.25); follow(); }, smaller: () => size(scale / 1.25), fit,
  digits: () => { $("digits").checked = !exact(); show(now, false); },
  answer: judge, reveal: giveUp,
  help: () => ($("help").open ? $("help").close() : $("help").showModal()),
};
const keys = {
  ArrowLeft: "back", ArrowRight: "next", Home: "first", End: "last", PageUp: "scopeBack", PageDown: "scopeNext",
  " ": "play", f: "phase", d: "digits", "?": "help", "+": "larger", "=": "larger", "-": "smaller", 0: "fit",
};
const shifted = { ArrowLeft: "nodeBack", ArrowRight: "nodeNext" };
const moves = new Set(["first", "last", "next", "back", "start", "phase"]);

function run(name) {
  if (timer && (moves.has(name) || name.startsWith("node") || name.startsWith("scope"))) play(false);
  act[name]();
}

addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.tagName === "SELECT") return;
  if (event.key === " " && target.closest("button, input[type=checkbox]")) return;
  if ($("help").open && event.key !== "?") return;
  if (target === $("answer")) {
    if (event.key === "Enter") judge();
    else if (event.key === "Escape") target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const name = (event.shiftKey && shifted[key]) || keys[key];
  if (!name) return;
  event.preventDefault();
  run(name);
});

for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => run(button.dataset.do));
$("digits").addEventListener("change", () => show(now, false));
$("speed").addEventListener("change", () => { if (timer) play(true); });
$("slider").max = last;
$("slider").addEventListener("input", () => { play(false); show(Number($("slider").value)); });
$("title").textContent = document.title;
document.body.style.setProperty("--share", `${(100 * (data.start - 0.5)) / Math.max(last, 1)}%`);
document.body.classList.toggle("wide", wide > 2.2 * high);  // such a picture gets the whole width
addEventListener("resize", fit);

function addressed() {  // the scene of the step in the address
  const found = /^#step=(\d+)$/.exec(location.hash);
  if (!found) return data.first;
  const number = scenes.findIndex((scene) => scene.step >= Number(found[1]));
  return number < 0 ? last : number;
}
addEventListener("hashchange", () => { if (location.hash.startsWith("#step=")) show(addressed(), false); });
document.body.classList.toggle("quiz", quizzes);
if (quizzes) worksheet();
fit();
show(addressed(), false);
