"use strict";
// The page has one section per picture. `names` are the paths of their scopes, "" for the whole graph; `opens` says
// which box opens which section. This script draws nothing: it shows, moves (by viewBox) and searches the pictures.
const { names, opens } = JSON.parse(document.getElementById("data").textContent);
const sections = [...document.querySelectorAll("section")];
const pictures = sections.map((section) => section.querySelector("svg"));
const [nav, search, output, main] = ["nav", "input", "output", "main"].map((tag) => document.querySelector(tag));
const whole = pictures.map((svg) => svg.getAttribute("viewBox").split(/\s+/).map(Number));
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
  const parts = names[index] === "" ? [] : names[index].split("/");
  nav.replaceChildren();
  for (let length = 0; length <= parts.length; length++) {
    const target = names.indexOf(parts.slice(0, length).join("/"));
    if (target < 0) continue;
    if (length) nav.append(" › ");
    const button = document.createElement("button");
    button.textContent = length ? parts[length - 1] : "everything";
    if (target === index) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => show(target));
    nav.append(button);
  }
  if (remember) history.replaceState(null, "", "#" + encodeURIComponent(names[index]));
}

function zoom(factor, x, y) {  // about a point of the screen, or the middle
  const [left, top, width, height] = view();
  const area = pictures[current].getBoundingClientRect();
  const scale = Math.max(width / area.width, height / area.height);
  const right = (x === undefined ? 0 : x - area.left - area.width / 2) * scale;
  const down = (y === undefined ? 0 : y - area.top - area.height / 2) * scale;
  const [wide, high] = [width / factor, height / factor];
  view([left + (width - wide) / 2 + right * (1 - 1 / factor), top + (height - high) / 2 + down * (1 - 1 / factor), wide, high]);
}

function move(right, down) {  // in pixels of the screen
  const [left, top, width, height] = view();
  const area = pictures[current].getBoundingClientRect();
  const scale = Math.max(width / area.width, height / area.height);
  view([left + right * scale, top + down * scale, width, height]);
}

function up() {
  const parts = names[current].split("/");
  while (parts.length) {
    parts.pop();
    const target = names.indexOf(parts.join("/"));
    if (target >= 0) return show(target);
  }
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
  event.preventDefault();
  zoom(Math.exp(-Math.max(-100, Math.min(100, event.deltaY)) / 300), event.clientX, event.clientY);
}, { passive: false });

const act = { in: () => zoom(1.25), out: () => zoom(0.8), fit: () => view(whole[current]) };
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

for (const [id, target] of Object.entries(opens)) {
  const box = document.getElementById(id);
  const here = sections.findIndex((section) => section.contains(box));
  // Clicking a frame that is already open closes it, and shows the picture around it.
  const closes = box.classList.contains("cluster") && (names[here] + "/").startsWith(names[target] + "/");
  const go = (event) => {
    if (dragged) return;
    event.stopPropagation();
    if (closes) up();
    else show(target);
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
