"use strict";
// One slide at a time; without this script, all stand one below the other.
const slides = [...document.querySelectorAll(".slide")];
let now = 0;

function show(number) {
  now = Math.min(Math.max(number, 0), slides.length - 1);
  slides.forEach((slide, index) => slide.classList.toggle("now", index === now));
  const words = slides[now].querySelector(".words, h2");
  document.getElementById("said").textContent = `${slides[now].getAttribute("aria-label")}: ${words ? words.textContent : ""}`;
  try {
    history.replaceState(null, "", `#${now + 1}`);
  } catch { /* in a frame, which has no address */ }
}

const moves = {
  ArrowRight: 1, ArrowDown: 1, PageDown: 1, Enter: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Backspace: -1,
  Home: -Infinity, End: Infinity,
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "f") {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen();
  } else if (event.key in moves) {
    event.preventDefault();
    show(now + (event.key === " " && event.shiftKey ? -1 : moves[event.key]));
  }
});
addEventListener("click", (event) => {
  if (String(getSelection())) return;  // a text is being copied
  show(now + (event.clientX < innerWidth / 3 ? -1 : 1));
});
let touched = 0;
addEventListener("touchstart", (event) => { touched = event.touches[0].clientX; }, { passive: true });
addEventListener("touchend", (event) => {
  const moved = event.changedTouches[0].clientX - touched;
  if (Math.abs(moved) < 40) return;  // it is a click
  event.preventDefault();
  show(now + (moved < 0 ? 1 : -1));
}, { passive: false });
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
document.body.classList.add("live");
show(Number(location.hash.slice(1)) - 1 || 0);
