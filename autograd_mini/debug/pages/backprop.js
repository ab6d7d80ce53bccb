"use strict";
// The data lists where something happens in each scene, and the texts of each box and row with their first scenes.
// This script looks up what is known in a scene; `alive.js` computes other numbers. Texts are never read as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const { scenes, rows, places, files } = data;
const $ = (id) => document.getElementById(id);
const last = scenes.length - 1;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let now = -1;
let knownUntil = -1;  // while a question is open, its own scene is not known
let timer = 0;
const editor = typeof acquireVsCodeApi === "function" ? acquireVsCodeApi() : null;  // in a panel of VS Code

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// -- numbers and formulas -------------------------------------------------------------------------------------------

const live = data.live && graph({ ...data.live, seed: read(data.live.seed) });
let moved = false;  // does the page show other numbers than the recorded ones?
let away = false;  // does it begin with those of another step of a training?
const pair = (number) => [short(number), long(number)];
const spoken = (number, at) => (moved && at !== undefined && at !== null ? pair(live.get(at)) : number);

function worded({ words, told = [] }) {  // a sentence with the numbers of now
  if (!moved) return words;
  let [text, end] = ["", 0];
  for (const [from, to, at, guard] of told) {
    const number = short(live.get(at));
    text += words.slice(end, from) + (guard && number.startsWith("-") ? `(${number})` : number);
    end = to;
  }
  return (text + words.slice(end)).replace("; the largest: ", "; one of them: ");
}

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
  if (tree[0] === "mn" && tree.length > 2) {
    const number = spoken(tree.slice(1, 3), tree[3]);
    made.textContent = digits(number);
    made.setAttribute("data-exact", full(number));
    if (tree[4] && brief(number).startsWith("-")) return bracketed(made);
  } else {
    for (const child of tree.slice(1)) made.append(typeof child === "string" ? child : math(child));
  }
  if (tree[0] === "mo" && "()|".includes(tree[1])) made.setAttribute("stretchy", "false");
  if (tree[0] === "mo" && BETWEEN.has(tree[1])) {  // even at the beginning of a line
    for (const side of ["lspace", "rspace"]) made.setAttribute(side, "0.25em");
  }
  return made;
}

function bracketed(number) {
  const made = math(["mrow", ["mo", "("], ["mo", ")"]]);
  made.firstChild.after(number);
  return made;
}

function formula(pieces, kind = "formula") {
  const line = element("div", { class: kind });
  for (const any of pieces) {
    if (any[0] === "still" && moved) continue;  // it holds for the recorded numbers alone
    const piece = any[0] === "still" ? any[1] : any;
    const made = document.createElementNS("http://www.w3.org/1998/Math/MathML", "math");
    made.setAttribute("displaystyle", "true");
    made.append(math(piece));
    line.append(made, " ");
  }
  return line;
}

// -- the pictures ---------------------------------------------------------------------------------------------------

const shots = data.pictures;
document.querySelectorAll("#picture > .shot").forEach((area, index) => { shots[index].area = area; });
let shot = null;  // the one that is shown

function centred(text, cell) {
  const across = cell.getAttribute("points").split(" ").map((point) => Number(point.split(",")[0]));
  text.setAttribute("text-anchor", "middle");
  text.setAttribute("x", (Math.min(...across) + Math.max(...across)) / 2);
}

function prepare(made) {  // a picture that is shown for the first time
  const svg = made.svg = made.area.querySelector("svg");
  [, , made.wide, made.high] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "graph, with a button for each box");
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.style.setProperty("--wide", `${made.wide}px`);
  for (const title of svg.querySelectorAll("g.graph > title")) title.remove();
  for (const edge of svg.querySelectorAll(".edge")) edge.setAttribute("aria-hidden", true);  // the chain rule says it
  for (const text of svg.querySelectorAll(".edge text")) text.textContent = minus(text.textContent);
  made.said = Object.entries(made.labels).map(([id, at]) => {  // the local derivatives on arrows
    const texts = [...document.getElementById(id).querySelectorAll("text")];
    return { at, texts: texts.length === at.length ? texts : [], recorded: texts.map((text) => text.textContent) };
  });
  for (const box of made.boxes) {
    box.group = document.getElementById(box.id);
    const texts = box.group.querySelectorAll(":scope > text");
    const cells = box.group.querySelectorAll(":scope > polygon:not([fill=none])");
    box.slots.forEach((slot, index) => {
      const [value, gradient] = box.cells[index];  // from the end
      [slot.value, slot.gradient] = [texts[texts.length + value], texts[texts.length + gradient]];
      slot.cell = cells[cells.length + gradient];
      for (const text of [slot.value, slot.gradient]) {
        text.room = live ? text.textContent.length : Infinity;
        text.wide = text.getComputedTextLength();
        text.setAttribute("lengthAdjust", "spacingAndGlyphs");
      }
      centred(slot.value, cells[cells.length + value]);
      centred(slot.gradient, slot.cell);
    });
    if (box.fold >= 0 || box.inside.length) box.group.classList.add("folded");
    box.title = box.group.querySelector(":scope > title");
    box.about = box.title.textContent;
    box.group.setAttribute("role", "button");
    box.group.setAttribute("tabindex", "0");
    box.group.classList.add("box");
    box.group.addEventListener("click", () => visit(box));
    box.group.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      visit(box);
    });
  }
  for (const [id, number] of made.frames) {  // of the user's scopes
    const [frame, folded] = [document.getElementById(id), folder(number)];
    if (!folded || folded === made) continue;
    frame.classList.add("frame");
    frame.setAttribute("role", "button");
    frame.setAttribute("tabindex", "0");
    frame.setAttribute("aria-label", `${data.folds[number].name}: folds`);
    frame.addEventListener("click", () => open(folded));
    frame.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      open(folded);
    });
  }
  made.seen = new Map();  // each arrow with the scenes in which something goes along it
  scenes.forEach((scene, number) => {
    for (const way of happening(scene, made).ways) {
      if (!made.seen.has(way)) made.seen.set(way, { group: document.getElementById(made.arrows[way]), forward: -1, backward: -1 });
      const phase = number < data.start ? "forward" : "backward";
      if (made.seen.get(way)[phase] < 0) made.seen.get(way)[phase] = number;
    }
  });
  for (const { group } of made.seen.values()) {  // a second head, for the way back
    const path = group.querySelector("path");
    const [tip, base] = [path.getPointAtLength(0), path.getPointAtLength(9)];
    const [x, y] = [(base.x - tip.x) * 0.42, (base.y - tip.y) * 0.42];
    const head = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
    head.setAttribute("class", "back");
    head.setAttribute("points", `${tip.x},${tip.y} ${base.x - y},${base.y + x} ${base.x + y},${base.y - x}`);
    group.append(head);
  }
}

const opener = (fold) => pictureOf(shots.find((made) => made.opens.includes(fold))?.key);

function visit(box) {  // go to the step of a box; of a leaf, show the paths too; a folded call opens, and several nodes are listed
  const opened = opener(box.fold);
  if (opened) return open(opened);
  if (box.inside.length) tabulate(box);
  const backward = box.backward >= 0 && now >= data.start;
  show(backward && now === box.backward ? box.forward : backward ? box.backward : box.forward);
  if (box.leaf >= 0) trails(box.leaf);
}

// -- folds ----------------------------------------------------------------------------------------------------------

// The fold that is closed in this picture and in which a scene happens; -1 for none. Its scenes are one motion.
const inside = (number) => data.inside[number]?.find((fold) => shot.closed.includes(fold)) ?? -1;
const together = (one, other) => inside(one) >= 0 && inside(one) === inside(other) && (one < data.start) === (other < data.start);

function run(number) {  // the first and the last scene of the motion that a scene belongs to
  let [first, end] = [number, number];
  while (first > 0 && together(first - 1, number)) first -= 1;
  while (end < last && together(end + 1, number)) end += 1;
  return [first, end];
}

const isWhole = (number) => {  // nothing of this call is still to come in this phase
  const fold = inside(number);
  for (let later = number + 1; later <= last && (later < data.start) === (number < data.start); later++)
    if (data.inside[later].includes(fold)) return false;
  return true;
};

const framed = document.documentElement.classList.toggle("framed", !editor && window.parent !== window);  // in a notebook
const isNarrow = () => !framed && matchMedia("(max-width: 820px)").matches;
function pictureOf(key) {
  const found = shots.filter((made) => made.key === key);
  return found.find((made) => made.tall === isNarrow()) || found[0];
}

function open(made, number = now, remember = true) {
  if (!made || made === shot) return;
  const focused = $("picture").contains(document.activeElement);
  choose(made);
  settle();
  show(number, remember);
  if (focused) shot.boxes[motion(now).at[0]]?.group.focus();
}

function stepInto() {  // into the call of this motion, or of the next one
  for (const number of [now, now + 1]) {
    const fold = number <= last ? inside(number) : -1;
    const opened = opener(fold);
    if (opened) return open(opened, run(number)[0]);
  }
  show(now + 1);
}

function close() {
  if (traced) noPaths();
  else if (listed !== rows) tabulate();
  else if (shot.key) open(pictureOf(""));
}

function fold() {  // what is open, or the scope of this step
  if (traced || listed !== rows || shot.key) return close();
  for (const number of data.inside[now] || []) if (shots.some((made) => made.folds === number)) return open(folder(number));
}

const folder = (number) => shots.find((made) => made.folds === number);

// Where something happens in a scene: the boxes, the boxes where it arrives, and the arrows between them.
function happening(scene, made) {
  if (!scene.move) return scene;
  const [node, operand, place] = scene.move;
  const all = made.ways[node] || [];
  const ways = scene.phase === "forward" ? all : place < 0 ? [] : [all[place]];
  return {
    at: [made.box[node]], to: operand < 0 ? [] : [made.box[operand]].filter((box) => box !== made.box[node]),
    ways: ways.filter((way) => way >= 0),
  };
}

function motion(number) {  // that of all scenes of a folded call
  const [first, end] = run(number);
  if (first === end) return happening(scenes[number], shot);
  const all = scenes.slice(first, end + 1).map((scene) => happening(scene, shot));
  return { at: all[0].at, to: [...new Set(all.flatMap(({ to }) => to))], ways: [...new Set(all.flatMap(({ ways }) => ways))] };
}

function choose(made) {
  if (shot) shot.area.hidden = true;
  shot = made;
  shot.area.hidden = false;
  if (!shot.svg) prepare(shot);
  document.body.classList.toggle("wide", shot.wide > 2.2 * shot.high);  // such a picture gets the whole width
  $("folds").value = shot.key;
  share();
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

function current(entry) {  // an entry with the number of now
  if (!moved || !entry || entry.length === 2 || entry.length === 4) return entry;
  const number = live.get(entry[entry.length - 1]);
  return [entry[0], pair(number), ...shade(number, Number(data.largest))];
}

function state(slot) {  // value and gradient now, and whether more is to be added
  const entry = known(slot.gradients);
  const [value, gradient] = [known(slot.values), entry].map(current);
  const more = unfinished(slot.gradients, entry);
  if (!moved || slot.node < 0 || knownUntil < last) return [value, gradient, more];
  const number = live.get(live.adjoint(slot.node));  // an arm that was not taken may hand on to it now
  const final = [last, pair(number), ...shade(number, Number(data.largest))];
  return [value, gradient || live.reached[slot.node] ? final : null, false];
}

const happened = (groups) => groups.filter(([scene]) => scene <= knownUntil).flatMap(([, ...all]) => all);
function group([values, gradients]) {  // what a box of several nodes says
  let [low, high, seen, largest] = [Infinity, -Infinity, false, new Map()];
  for (const at of happened(values)) {
    const value = live.get(at);
    [low, high, seen] = Number.isNaN(value) || Number.isNaN(low) ? [NaN, NaN, true] : [Math.min(low, value), Math.max(high, value), true];
  }
  for (const edge of happened(gradients)) largest.set(...live.arrival(edge));
  const size = (number) => (Number.isNaN(number) ? Infinity : Math.abs(number));
  const found = [...largest.values()].map(live.get).reduce((a, b) => (a === null || size(b) > size(a) ? b : a), null);
  const range = short(low) === short(high) ? short(low) : `${short(low)} … ${short(high)}`;
  return [seen ? [0, range] : null, found === null ? null : [0, pair(found), ...shade(found, Number(data.largest))], false];
}

function paint(target, entry, more) {
  target.setAttribute("class", `gradient ${entry ? entry[2] : "none"}${more ? " unfinished" : ""}`);
  target.style.setProperty("--depth", `${entry ? entry[3] : 0}%`);
}

function fill(box, doing, number) {
  const at = doing.at.includes(number);
  const to = doing.to.includes(number);
  const says = box.slots.map((slot, index) => {
    const [value, gradient, more] = moved && box.all ? group(box.all) : state(slot);
    slot.value.textContent = value ? box.before[0] + minus(brief(value[1])) : "";
    const text = gradient ? minus(brief(gradient[1])) : "";
    slot.gradient.textContent = gradient && box.before[1] ? box.before[1] + text.replace(/^−/, "") : text;  // max|g| has no sign
    for (const text of [slot.value, slot.gradient]) narrow(text);
    paint(slot.cell, gradient, more);
    slot.gradient.classList.toggle("unfinished", Boolean(more));
    if (!index) box.group.classList.toggle("unknown", !value);
    const name = box.named.length ? `${box.named[index]}: ` : "";
    return `${name}value ${value ? full(value[1]) : "not yet"}, gradient ${gradient ? full(gradient[1]) : "not yet"}${more ? " so far" : ""}`;
  });
  box.group.classList.toggle("at", at);
  box.group.classList.toggle("to", to);
  if (at) box.group.setAttribute("aria-current", "step");
  else box.group.removeAttribute("aria-current");
  box.group.setAttribute("aria-label", `${box.name}: ${says.join("; ")}${box.fold >= 0 ? "; folded, opens" : box.inside.length ? "; opens as a list" : ""}`);
  box.title.textContent = `${box.about}\n${says.map((text) => text.replace(", gradient", "\ngradient")).join("\n")}`;
}

function narrow(text) {  // a number that is wider than the recorded ones has to fit its cell
  if (text.textContent.length > text.room) text.setAttribute("textLength", text.wide);
  else text.removeAttribute("textLength");
}

const READABLE = 0.5;  // letters smaller than that cannot be read: such a picture is scrolled
let scale = 1;
const sized = new Set();  // what the reader has sized
let fitted = true;  // until the reader chooses a size
function size(factor) {
  scale = Math.min(Math.max(factor, 0.02), 4);
  shot.svg.style.setProperty("--scale", scale);
}

function whole() {  // the size at which all of the picture is seen
  const area = $("picture");
  const style = getComputedStyle(area);
  const room = area.offsetWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - 4;
  const tall = area.offsetHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom) - 4;
  return Math.min(room / shot.wide, tall / shot.high, 2);
}

function fit() {
  fitted = true;
  size(whole());
}

function settle() {  // at first, and when the room changes
  if (!fitted) return;
  size(Math.max(whole(), Math.min(READABLE, 2)));
  follow();
}

function share() {  // a flat picture leaves its room to the panels below, until the reader sizes them
  const [main, area] = [document.querySelector("main"), $("picture")];
  if (sized.has("--low") || !matchMedia("(min-width: 1000px)").matches) return;
  const needed = Math.min(shot.wide * 2, area.offsetWidth) / shot.wide * shot.high + $("graph").offsetHeight - area.offsetHeight + 40;
  const low = 100 * (1 - needed / main.clientHeight);
  if (document.body.classList.contains("wide")) main.style.setProperty("--low", `${Math.min(Math.max(low, 46), 66)}%`);
  else main.style.removeProperty("--low");
}

function zoom(factor) {
  fitted = false;
  size(scale * factor);
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
  if (now < 0) return;
  const doing = motion(now);
  const places = [...doing.to, ...doing.at].filter((number) => number >= 0);
  if (places.length) reveal($("picture"), places.map((number) => shot.boxes[number].group), smooth && !timer);
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
  document.body.classList.add("sourceless");
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
const breakable = (name) => name.split(/(?<=[.\]])(?=\w)/).flatMap((part) => [element("wbr"), part]).slice(1);
function lined(row) {
  row.value = element("td");
  row.gradient = element("td");
  row.chip = element("span");
  row.gradient.append(row.chip);
  const text = element("span", {}, ...breakable(row.name));
  const name = element("th", { scope: "row", class: row.leaf ? "leaf" : "result", title: row.name, "aria-label": row.name }, text);
  if (data.paths[row.node]) {
    const button = element("button", { title: `paths to ${row.name}` }, ...breakable(row.name));
    button.addEventListener("click", () => (traced && traced.node === row.node ? noPaths() : trails(row.node)));
    name.replaceChildren(button);
  }
  const index = row.leaf ? leaves.findIndex(({ node }) => node === row.node) : -1;
  if (index >= 0) {
    const made = dial(index);
    dials.set(made.area, made);
    name.append(made.area);
  }
  row.line = element("tr", {}, name, row.value, row.gradient);
}

let listed = [];
const rowOf = new Map([...rows, ...data.others].map((row) => [row.node, row]));
function tabulate(box = null) {  // the nodes in a box, or all that have a name
  listed = box ? box.inside.map((node) => rowOf.get(node)) : rows;
  for (const row of listed) if (!row.line) lined(row);
  body.replaceChildren(...listed.map(({ line }) => line));
  $("gradients-title").textContent = box ? `Inside ${box.name}` : "Gradients now";
  $("gradients").scrollTop = 0;
  $("everything").hidden = !box;
  $("gradients").hidden = !listed.length;
  $("rest").textContent = !box ? data.rest : box.more ? `${box.more.toLocaleString("en")} more nodes are not listed.` : "";
  listed.forEach(write);
}
$("note").textContent = data.note;
for (const [number, kind, depth] of [...data.scale, ["nan, inf", "broken", 100]]) {
  const entry = element("li", {}, minus(brief(number)));
  paint(entry, [0, number, kind, depth]);
  $("legend").append(entry);
}

for (const [kind, text] of [["at", "now"], ["to", "receives"], ["more", "italic: more to be added"], ["", "on an arrow: local derivative"]])
  $("legend").append(element("li", { class: `say ${kind}` }, text));

function write(row) {
  const [value, gradient, more] = state(row);
  row.value.textContent = value ? digits(value[1]) : "–";
  row.chip.textContent = gradient ? digits(gradient[1]) : "–";
  row.value.title = value ? full(value[1]) : "not yet";
  row.gradient.title = gradient ? full(gradient[1]) : "nothing has arrived";
  paint(row.chip, gradient, more);
  const changes = (value && value[0] === knownUntil) || (gradient && gradient[0] === knownUntil);
  row.line.classList.toggle("changes", Boolean(changes));
  if (changes) row.line.setAttribute("aria-current", "true");
  else row.line.removeAttribute("aria-current");
  return changes;
}

// -- paths ----------------------------------------------------------------------------------------------------------

let traced = null;  // the leaf whose paths are shown: { node, paths, sum }, and which of them is chosen

function trails(node) {
  const found = data.paths[node];
  if (!found) return;
  traced = { ...found, node, chosen: -1 };
  const products = found.paths.map(([, links]) => (moved ? links.reduce((all, [, , , at]) => all * live.get(at), read(data.live.seed)) : 0));
  const sum = worded({ words: found.sum, told: found.told });
  const total = products.reduce((all, one) => all + one, 0);
  $("paths-title").textContent = minus(moved ? sum.replace("heaviest", "once heaviest").replace(/add up to [^;]+;/, `add up to ${short(total)};`) : sum);
  $("ways").replaceChildren(...found.paths.map(([recorded, links], index) => {
    const product = moved ? short(products[index]) : recorded;
    const locals = links.map(([, , local, at]) => spoken(local, at));
    const factors = locals.map((local, place) => (place && brief(local).startsWith("-") ? `(${brief(local)})` : brief(local)));
    const way = [...links.map(([from]) => from), node].map(called).join(" → ");
    const one = element("button", { "aria-pressed": "false" }, element("span", { class: "way" }, way),
      element("span", { class: "product" }, minus(`${factors.join(" × ") || "1"} = ${brief(product)}`)));
    one.addEventListener("click", () => pick(traced.chosen === index ? -1 : index));
    return element("li", {}, one);
  }));
  $("paths").hidden = false;
  $("why").hidden = true;
  light();
}

const called = (node) => data.names[node];

function pick(index) {
  traced.chosen = index;
  $("ways").querySelectorAll("button").forEach((one, place) => one.setAttribute("aria-pressed", String(place === index)));
  light();
}

function noPaths() {
  if (!traced) return;
  const inside = $("paths").contains(document.activeElement);
  traced = null;
  $("paths").hidden = true;
  light();
  explain(scenes[now], isOpen(scenes[now]));
  if (inside) $("rule").focus();
}

function light() {  // the boxes and arrows of the paths
  const [on, along] = [new Set(), new Set()];
  for (const [, links] of traced ? traced.paths.filter((_, index) => traced.chosen < 0 || traced.chosen === index) : []) {
    for (const [node, uses] of links) {
      on.add(shot.box[node]);
      for (const [inner, place] of uses) {
        on.add(shot.box[inner]);
        along.add((shot.ways[inner] || [])[place]);
      }
    }
    on.add(shot.box[traced.node]);
  }
  shot.svg.classList.toggle("traced", Boolean(traced));
  shot.boxes.forEach((box, index) => box.group.classList.toggle("lit", on.has(index)));
  for (const [way, { group }] of shot.seen) group.classList.toggle("lit", along.has(way));
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

// -- a lesson -------------------------------------------------------------------------------------------------------

const sections = [...document.querySelectorAll("#lesson > section")].map((area) => ({ area, step: Number(area.dataset.step) }));
let told = -1;  // the section that is read

function tell() {  // the first section about this moment, unless the reader has gone on to another about it
  if (!sections.length) return;
  const { step } = sections.findLast((one) => one.step <= scenes[now].step) || sections[0];
  if (told < 0 || sections[told].step !== step) told = sections.findIndex((one) => one.step === step);
  sections.forEach(({ area }, index) => area.classList.toggle("now", index === told));
  const [area, outer] = [sections[told].area, $("lesson")];
  outer.scrollTo({ top: area.offsetTop - outer.offsetTop - 8, behavior: calm.matches ? "instant" : "smooth" });
  dim(document.querySelector("[data-do=sectionBack]"), told === 0);
  dim(document.querySelector("[data-do=sectionNext]"), told === sections.length - 1);
}

function turnTo(index) {
  if (!sections[index]) return;
  told = index;
  show(scenes.findIndex((scene) => scene.step >= sections[index].step));
}

sections.forEach(({ area }, index) => area.querySelector("button").addEventListener("click", () => turnTo(index)));

// -- a moment -------------------------------------------------------------------------------------------------------

function paintPicture() {
  const doing = motion(now);
  shot.boxes.forEach((box, index) => fill(box, doing, index));
  const going = new Set(doing.ways);
  for (const [way, { group, forward, backward }] of shot.seen) {
    const past = [forward >= 0 && forward <= now ? "known" : "unknown", backward >= 0 && backward <= knownUntil ? "passed" : ""];
    group.setAttribute("class", `edge ${past.join(" ")} ${going.has(way) ? "going" : ""}`);
  }
  for (const { at, texts, recorded } of shot.said)
    texts.forEach((text, index) => {
      const number = minus(short(moved ? live.get(at[index]) : 0));
      text.textContent = moved ? recorded[index].replace(/\S+(?=\s*$)/, number) : recorded[index];
    });
  light();
}

function explain(scene, asks) {  // the local derivatives of a step, and its plot
  $("why").hidden = asks || Boolean(traced);
  const forward = scene.phase === "forward";
  const fold = data.folds[inside(now)];
  const rules = fold ? (fold[forward ? "forward" : "backward"].rules) : scene.rules.map((number) => data.rules[number]);
  const heading = fold ? `derivative of ${fold.name}` : forward ? "local derivatives, for the way back" : "local derivative";
  $("locals").replaceChildren(...rules.map((pieces) => formula(pieces, "local")));
  if (rules.length) $("locals").prepend(element("h3", {}, heading));
  const plot = moved ? "" : fold ? fold.plot : scene.plot;  // a plot is of the recorded numbers
  const drawn = plot && $("plots").querySelector(`#${plot}`);
  $("plot").replaceChildren(...(drawn ? [copy(drawn)] : []));
  $("plot").hidden = !drawn;
}

function copy(drawn) {  // ids stay unique
  const made = drawn.cloneNode(true);
  made.removeAttribute("id");
  return made;
}

function show(number, remember = true) {
  const [first, end] = run(Math.min(Math.max(number, 0), last));
  now = end;
  const scene = scenes[now];
  const asks = isOpen(scene);
  knownUntil = asks ? now - 1 : now;
  const begun = first < end ? scenes[first].step : scene.first;
  const steps = begun === undefined ? `step ${scene.step}` : `steps ${begun}–${scene.step}`;
  document.body.dataset.phase = now < data.start ? "forward" : "backward";
  $("phase").textContent = scene.phase;
  $("count").textContent = `${steps} of ${data.steps - 1}`;
  const fold = data.folds[inside(now)];
  const passed = fold && fold[now < data.start ? "forward" : "backward"];
  const between = `${fold?.name} is not complete: other steps come in between.`;
  const said = asks ? scene.quiz.text : !fold ? worded(scene) : isWhole(now) ? worded(passed) : between;
  $("words").textContent = minus(said);
  $("slider").value = now;
  $("slider").setAttribute("aria-valuetext", `${steps} of ${data.steps - 1}, ${scene.phase}: ${said}`);
  paintPicture();
  tell();
  const changed = listed.filter(write).map(({ line }) => line);
  const lines = [];
  const earliest = fold ? now + 1 : Math.max(scene.turn, now - 7);
  for (let i = earliest; i <= knownUntil; i++) lines.push(formula(scenes[i].formula));
  if (fold) lines.push(...(isWhole(now) ? passed.formulas : [[["mtext", "…"]]]).map((pieces) => formula(pieces)));
  if (asks) lines.push(formula(scene.quiz.about), formula(scene.quiz.formula));
  for (const line of fold ? lines : lines.slice(-1)) {
    line.classList.add("now");
    line.setAttribute("aria-current", "step");
  }
  if (!fold && scene.turn < now - 7) lines.unshift(element("p", { class: "empty" }, `${now - 7 - scene.turn} contributions before`));
  $("formulas").replaceChildren(...lines);
  explain(scene, asks);
  mark(scene.place);
  pose(scene);
  $("formulas").classList.toggle("several", lines.length > 1 && Boolean(fold));
  $("formulas").scrollTop = fold ? 0 : $("formulas").scrollHeight;
  follow(remember);
  if (changed.length) reveal($("gradients"), changed, remember && !timer);
  for (const button of document.querySelectorAll("[role=toolbar] :is([data-do=first], [data-do=back])")) dim(button, now === 0);
  for (const button of document.querySelectorAll("[role=toolbar] :is([data-do=next], [data-do=last])")) dim(button, now === last);
  if (remember) note();
}

function note() {  // the address holds the step, what is open, and the reader's numbers
  if (editor) return editor.postMessage(scenes[now].step);
  const own = !moved ? "" : `&set=${inputs.map((number, i) => (Object.is(number, given[i]) ? "" : `${i}:${long(number)}`)).filter(Boolean).join(",")}`;
  try {
    history.replaceState(null, "", `#step=${scenes[now].step}${shot.key && `&open=${shot.key}`}${own}`);
  } catch { /* in a frame of a notebook, which has no address */ }
}

// -- the reader's numbers -------------------------------------------------------------------------------------------

let before = "";
const leaves = live ? data.live.leaves.map(([node, shared, rest, number]) => {
  before = [...before].slice(0, shared).join("") + rest;
  return { node, name: before, number: read(number) };
}) : [];
const given = leaves.map(({ number }) => number);
const inputs = [...given];
let due = 0;

function dial(index) {  // a slider and a field for a leaf
  const { name, number } = leaves[index];
  const near = Number.isFinite(number) ? Math.abs(number) : 0;
  const decade = 10 ** Math.floor(Math.log10(Math.max(2 * near, 1)));
  const step = decade * [1, 2, 5, 10].find((times) => times * decade >= Math.max(2 * near, 1)) / 100;
  const middle = Number.isFinite(number) ? number : 0;
  const digits = Math.max(-Math.floor(Math.log10(step)), 0);
  const slider = element("input", { type: "range", min: -100, max: 100, step: 1, "aria-label": `${name}, slider` });
  const field = element("input", { class: "field", type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", "aria-label": `${name}, number` });
  const change = (value) => {
    inputs[index] = value;
    $("words").setAttribute("aria-live", "off");
    due = due || requestAnimationFrame(recompute);
  };
  slider.addEventListener("input", () => {
    const at = Number(slider.value);
    change(at ? Number((middle + at * step).toFixed(Math.min(digits, 100))) : number);
  });
  field.addEventListener("input", () => {
    const value = read(field.value.trim().replace(/−/g, "-").replace(/^([^,]*),([^,]*)$/, "$1.$2"));
    field.setAttribute("aria-invalid", value === null);
    if (value !== null) change(value);
  });
  field.addEventListener("focus", () => {
    field.value = long(inputs[index]).replace(/\.0$/, "");
    field.select();
  });
  field.addEventListener("blur", () => tell());
  for (const input of [slider, field]) input.addEventListener("change", () => $("words").setAttribute("aria-live", "polite"));
  const tell = () => {
    const value = inputs[index];
    slider.value = Number.isFinite(value) ? Math.round((value - middle) / step) : 0;
    slider.setAttribute("aria-valuetext", short(value));
    if (document.activeElement === field) return;
    field.value = short(value);
    field.title = long(value);
    field.setAttribute("aria-invalid", false);
  };
  tell();
  return { area: element("div", { class: "dial" }, slider, field), update: tell, node: leaves[index].node };
}

const dials = new Map();
function recompute() {
  due = 0;
  const touched = inputs.some((number, i) => !Object.is(number, given[i]));
  moved = away || touched;
  if (moved) live.at(inputs);
  for (const one of dials.values()) one.update();
  $("recorded").hidden = !touched;
  if (sections.length) $("unlike").hidden = !moved;
  const differ = (list) => (moved && !away ? list.filter(([at, was]) => live.get(at) !== was) : []);
  const arms = differ(data.live.choices).map(([, , text]) => text);
  const listed = arms.slice(0, 4).join(", ") + (arms.length > 4 ? ` and ${arms.length - 4} more` : "");
  const said = [...new Set(differ(data.live.decisions).map(([, , text]) => data.live.texts[text]))];
  if (arms.length) said.unshift(`The other arm is taken now: ${listed}.`);
  $("switched").replaceChildren(...said.slice(0, 4).map((text) => element("span", {}, text)));
  $("switched").hidden = !said.length;
  if (traced) trails(traced.node);
  show(now, false);
  note();
}

function reset() {
  given.forEach((number, i) => { inputs[i] = number; });
  recompute();
}

function restore(text) {  // the numbers of the address
  given.forEach((number, i) => { inputs[i] = number; });
  for (const one of (text || "").split(",")) {
    const [index, number] = one.split(":");
    if (index in inputs && read(number || "") !== null) inputs[index] = read(number);
  }
}

function prepareDials() {  // those of the table are made with its rows
  $("untouched").textContent = data.why;
  if (!live) return;
  setTimeout(() => { if (!moved) live.at(inputs); });  // the first time takes longest
  const listed = new Set(rows.map(({ node }) => node));
  const others = leaves.map((leaf, index) => ({ ...leaf, index })).filter(({ node }) => !listed.has(node));
  if (!others.length) return;
  const menu = element("select", { id: "others" }, ...others.map(({ index, name }) => element("option", { value: index }, name)));
  const place = element("span");
  const choose = () => {
    if (place.firstChild) dials.delete(place.firstChild);
    const made = dial(Number(menu.value));
    dials.set(made.area, made);
    place.replaceChildren(made.area);
  };
  menu.addEventListener("change", choose);
  $("elsewhere").append(element("label", {}, "another leaf ", menu), place);
  $("elsewhere").hidden = false;
  choose();
}

const dim = (button, off) => button.setAttribute("aria-disabled", off);  // not disabled: the focus would be lost

// Go to the end of the current turn or scope, or from there to the end of the next; back: to the end of the last one.
function beside(key, direction) {
  const same = (one, other) => one >= 0 && other <= last && key(scenes[one]) === key(scenes[other]);
  let target = direction < 0 ? run(now)[0] : now;
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
  first: () => show(0), last: () => show(last), next: () => show(now + 1), back: () => show(run(now)[0] - 1), stepInto, close, fold, everything: () => tabulate(),
  start: () => show(data.start), phase: () => show(now < data.start ? data.start : 0), play: () => play(!timer),
  nodeNext: () => show(beside(turn, 1)), nodeBack: () => show(beside(turn, -1)),
  scopeNext: () => show(beside(scope, 1)), scopeBack: () => show(beside(scope, -1)),
  sectionNext: () => turnTo(told + 1), sectionBack: () => turnTo(told - 1),
  reset, larger: () => zoom(1.25), smaller: () => zoom(1 / 1.25), fit, noPaths,
  digits: () => { $("digits").checked = !exact(); show(now, false); },
  answer: judge, reveal: giveUp,
  help: () => ($("help").open ? $("help").close() : $("help").showModal()),
  print: () => $("printing").showModal(),
  printStep: () => { $("printing").close(); print(); },
  printLedger: () => { $("printing").close(); ledger(); print(); },
};
const keys = {
  ArrowLeft: "back", ArrowRight: "next", Home: "first", End: "last", PageUp: "scopeBack", PageDown: "scopeNext",
  Escape: "close", s: "stepInto", r: "fold", n: "sectionNext", p: "sectionBack", " ": "play", f: "phase", d: "digits", "?": "help", "+": "larger", "=": "larger", "-": "smaller", 0: "fit",
};
const shifted = { ArrowLeft: "nodeBack", ArrowRight: "nodeNext" };
const moves = new Set(["first", "last", "next", "back", "start", "phase", "stepInto"]);

function perform(name) {
  if (timer && (moves.has(name) || name.startsWith("node") || name.startsWith("scope"))) play(false);
  act[name]();
}

addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.tagName === "SELECT") return;
  if (event.key === " " && target.closest("button, input[type=checkbox]")) return;
  if (($("help").open && event.key !== "?") || $("printing").open) return;
  if (target.getAttribute("role") === "separator" && event.key.startsWith("Arrow")) return;
  if (target.closest(".dial")) {  // its keys change the number
    if (event.key === "Escape") target.blur();
    return;
  }
  if (target === $("answer")) {
    if (event.key === "Enter") judge();
    else if (event.key === "Escape") target.blur();
    return;
  }
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const name = (event.shiftKey && shifted[key]) || keys[key];
  if (!name) return;
  event.preventDefault();
  perform(name);
});

for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", () => perform(button.dataset.do));
$("digits").addEventListener("change", () => show(now, false));
$("speed").addEventListener("change", () => { if (timer) play(true); });
$("slider").max = last;
$("slider").addEventListener("input", () => { play(false); show(Number($("slider").value)); });
$("title").textContent = document.title;
document.body.style.setProperty("--share", `${(100 * (data.start - 0.5)) / Math.max(last, 1)}%`);
function resized() {
  open(pictureOf(shot.key), now, false);  // upright on a phone
  share();
  settle();
}
addEventListener("resize", resized);
if (framed) new ResizeObserver(resized).observe(document.documentElement);  // a notebook may show it later

// -- the size of the panels -----------------------------------------------------------------------------------------

for (const [id, name, along] of [["split-low", "--low", false], ["split-side", "--side", true], ["split-middle", "--middle", true]]) {
  const bar = $(id);
  const main = document.querySelector("main");
  const behind = () => {  // the share of the panels behind the bar, in percent
    const [area, line] = [main.getBoundingClientRect(), bar.getBoundingClientRect()];
    if (!along) return 100 * (area.bottom - line.bottom) / area.height;
    const end = name === "--middle" ? $("split-side").getBoundingClientRect().left : area.right;
    return 100 * (end - line.right) / area.width;
  };
  const set = (percent) => {
    const kept = Math.min(Math.max(percent, 12), 75);
    main.style.setProperty(name, `${kept}%`);
    sized.add(name);
    bar.setAttribute("aria-valuenow", Math.round(kept));
    settle();
  };
  const say = () => bar.setAttribute("aria-valuenow", Math.round(Math.min(Math.max(behind(), 12), 75)) || 12);
  for (const [word, value] of [["valuemin", 12], ["valuemax", 75], ["valuenow", 12]]) bar.setAttribute(`aria-${word}`, value);
  bar.addEventListener("focus", say);
  requestAnimationFrame(say);
  bar.addEventListener("keydown", (event) => {
    const more = along ? "ArrowLeft" : "ArrowUp";
    const less = along ? "ArrowRight" : "ArrowDown";
    if (event.key !== more && event.key !== less) return;
    event.preventDefault();
    set(behind() + (event.key === more ? 3 : -3));
  });
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    const [from, start] = [along ? event.clientX : event.clientY, behind()];
    const whole = along ? main.clientWidth : main.clientHeight;
    const move = (now) => set(start - 100 * ((along ? now.clientX : now.clientY) - from) / whole);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("pointerup", () => bar.removeEventListener("pointermove", move), { once: true });
  });
  bar.addEventListener("dblclick", () => { main.style.removeProperty(name); sized.delete(name); share(); settle(); });
}

// -- on paper -------------------------------------------------------------------------------------------------------

function ledger() {  // until the page is printed
  const body = $("ledger").querySelector("tbody");
  body.replaceChildren(...scenes.map((scene) => element("tr", { class: scene.phase },
    element("th", { scope: "row" }, scene.first === undefined ? String(scene.step) : `${scene.first}–${scene.step}`),
    element("td", {}, scene.scope ? element("p", { class: "scope" }, scene.scope) : "", formula(scene.formula, "formula solved")),
    element("td", {}, ...(scene.phase === "backward" ? scene.rules.map((number) => formula(data.rules[number], "local")) : [])))));
  $("ledger").hidden = false;
  document.body.classList.add("printing-ledger");
}
addEventListener("afterprint", () => {
  $("ledger").hidden = true;
  $("ledger").querySelector("tbody").replaceChildren();
  document.body.classList.remove("printing-ledger");
});

function addressed() {  // the scene of the step in the address
  const found = /^#step=(\d+)(?:&open=([\w-]+))?(?:&set=([-+.:,\w]*))?$/.exec(location.hash);
  if (!found) return data.first;
  if (live) restore(found[3]);
  const asked = pictureOf(found[2] || "");
  if (asked && asked !== shot) choose(asked);
  const number = scenes.findIndex((scene) => scene.step >= Number(found[1]));
  return number < 0 ? last : number;
}
addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#step=")) return;
  const number = addressed();
  settle();
  show(number, false);
  if (live) recompute();
});
if (editor) addEventListener("message", ({ data: step }) => {  // the debugger has moved
  const number = scenes.findIndex((scene) => scene.step >= step);
  if (number < 0) return;
  play(false);
  if (number < run(number)[1]) open(opener(inside(number)), number, false);
  show(number, false);
  follow(true);
});
document.body.classList.toggle("quiz", quizzes);
if (quizzes) worksheet();
document.body.classList.toggle("taught", sections.length > 0);
const pictures = [...new Map(shots.map((made) => [made.key, made.title]))];
for (const [key, title] of pictures) $("folds").append(element("option", { value: key }, title));
$("folds").closest("label").hidden = pictures.length < 2;
$("folds").addEventListener("change", () => open(pictureOf($("folds").value)));
tabulate();
choose(pictureOf(""));
prepareDials();
settle();
show(addressed(), false);
if (inputs.some((number, i) => !Object.is(number, given[i]))) recompute();
settle();
