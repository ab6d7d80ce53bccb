"use strict";
// The page has one section per picture. `names` are the paths of their scopes, "" for the whole graph; `opens` says
// which box opens which section, and `lists` what is in a box that is no scope: opening it makes a section with a table.
// This script draws nothing: it shows, moves (by viewBox) and searches the pictures.
const { names, opens, lists } = JSON.parse(document.getElementById("data").textContent);
const sections = [...document.querySelectorAll("section")];
const pictures = sections.map((section) => section.querySelector("svg"));
const [nav, search, output, main] = ["nav", "input", "output", "main"].map((tag) => document.querySelector(tag));
const whole = pictures.map((svg) => svg.getAttribute("viewBox").split(/\s+/).map(Number));
const outer = names.map((path) => names.indexOf(path.slice(0, Math.max(path.lastIndexOf("/"), 0))));  // Esc leads there
let current = 0;

function view(box) {
  const svg = pictures[current];
  if (box) svg.setAttribute("viewBox", box.join(" "));
  return svg.getAttribute("viewBox").split(/\s+/).map(Number);
}

function show(index, remember = true) {
  sections[current].hidden = true;
  current = index;
  sections[current].hidden = false;
  const path = [];  // the sections around this one, from the outside in
  for (let around = index; around > 0; around = Math.max(outer[around], 0)) path.unshift(around);
  nav.replaceChildren();
  for (const target of [0, ...path]) {
    if (target) nav.append(" › ");
    const button = document.createElement("button");
    button.textContent = target ? names[target].split("/").pop() : "everything";
    if (target === index) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => show(target));
    nav.append(button);
  }
  document.body.classList.toggle("listed", !pictures[current]);
  if (!pictures[current]) sections[current].focus();
  if (remember) history.replaceState(null, "", "#" + encodeURIComponent(names[index]));
}

function list(id) {  // the section with the table of a box, made when it is first opened
  const box = document.getElementById(id);
  const around = sections.findIndex((section) => section.contains(box));
  const title = box.querySelector(":scope > title").textContent.split("\n")[0].replaceAll("/", "∕");
  const [section, table] = [document.createElement("section"), document.createElement("table")];
  const add = (texts, tag, row = table.createTHead().insertRow()) => {
    for (const text of texts) row.append(Object.assign(document.createElement(tag), { textContent: text }));
  };
  table.createCaption().textContent = title;
  add(["node", "operation", "value", "gradient"], "th");
  const body = table.createTBody();
  for (const texts of lists[id]) add(texts, "td", body.insertRow());
  section.append(table);
  section.tabIndex = 0;
  section.hidden = true;
  section.setAttribute("aria-label", title);
  main.append(section);
  names.push(`${names[around]}/${title}`);
  outer.push(around);
  return sections.push(section) - 1;
}

function zoom(factor, x, y) {  // about a point of the screen, or the middle
  if (!pictures[current]) return;
  const [left, top, width, height] = view();
  const area = pictures[current].getBoundingClientRect();
  const scale = Math.max(width / area.width, height / area.height);
  const right = (x === undefined ? 0 : x - area.left - area.width / 2) * scale;
  const down = (y === undefined ? 0 : y - area.top - area.height / 2) * scale;
  const [wide, high] = [width / factor, height / factor];
  view([left + (width - wide) / 2 + right * (1 - 1 / factor), top + (height - high) / 2 + down * (1 - 1 / factor), wide, high]);
}

function move(right, down) {  // in pixels of the screen
  if (!pictures[current]) return sections[current].scrollBy(right, down);
  const [left, top, width, height] = view();
  const area = pictures[current].getBoundingClientRect();
  const scale = Math.max(width / area.width, height / area.height);
  view([left + right * scale, top + down * scale, width, height]);
}

function up() {
  if (current) show(Math.max(outer[current], 0));
}

let drag = null;
let dragged = false;
main.addEventListener("pointerdown", (event) => { drag = [event.clientX, event.clientY]; dragged = false; });
addEventListener("pointerup", () => { drag = null; });
addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [right, down] = [drag[0] - event.clientX, drag[1] - event.clientY];
  if (!dragged && Math.hypot(right, down) < 4) return;
  dragged = true;
  drag = [event.clientX, event.clientY];
  move(right, down);
});
main.addEventListener("wheel", (event) => {
  if (!pictures[current]) return;
  event.preventDefault();
  zoom(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 300), event.clientX, event.clientY);
}, { passive: false });

const act = { in: () => zoom(1.25), out: () => zoom(0.8), fit: () => pictures[current] && view(whole[current]) };
for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", act[button.dataset.do]);
const keys = {
  "+": act.in, "=": act.in, "-": act.out, 0: act.fit, Escape: up,
  ArrowLeft: () => move(-60, 0), ArrowRight: () => move(60, 0), ArrowUp: () => move(0, -60), ArrowDown: () => move(0, 60),
};
addEventListener("keydown", (event) => {
  if (event.target === search || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

for (const id of [...Object.keys(opens), ...Object.keys(lists)]) {
  const box = document.getElementById(id);
  const here = sections.findIndex((section) => section.contains(box));
  // Clicking a frame that is already open closes it, and shows the picture around it.
  let target = opens[id];
  const closes = box.classList.contains("cluster") && (names[here] + "/").startsWith(names[target] + "/");
  const go = (event) => {
    if (dragged) return;
    event.stopPropagation();
    if (closes) return up();
    target ??= list(id);
    show(target);
  };
  box.classList.add("opens");
  box.setAttribute("tabindex", "0");
  box.setAttribute("role", "button");
  box.addEventListener("click", go);
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    dragged = false;
    go(event);
  });
}

const boxes = sections.flatMap((section, index) => [...section.querySelectorAll("g.node, g.cluster")].map((box) => {
  const title = box.querySelector(":scope > title");
  return { index, box, name: title ? title.textContent.split("\n")[0].toLowerCase() : "" };
}));
let hits = [];
let hit = -1;
function find(next) {
  for (const { box } of boxes) box.classList.remove("found");
  const wanted = search.value.trim().toLowerCase();
  if (!next) {
    hits = wanted ? boxes.filter(({ name }) => name.includes(wanted)) : [];
    hit = -1;
  }
  if (hits.length) {
    hit = (hit + 1) % hits.length;
    const { index, box } = hits[hit];
    if (index !== current) show(index);
    box.classList.add("found");
  }
  output.textContent = wanted ? `${hits.length ? hit + 1 : 0} of ${hits.length}` : "";
}
search.addEventListener("input", () => find(false));
search.addEventListener("keydown", (event) => { if (event.key === "Enter") find(true); });

addEventListener("hashchange", () => start());
function start() {
  const index = names.indexOf(decodeURIComponent(location.hash.slice(1)));
  show(Math.max(index, 0), false);
}
start();
