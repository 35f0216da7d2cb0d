// Brings the day's board up to date without reloading: what is ticked, focused and scrolled to stays.
"use strict";

const EVERY = 20 * 1000; // milliseconds
const place = document.querySelector("[data-live-board]");
const board = document.getElementById("board");
const failed = document.getElementById("live-failed");
const out = document.getElementById("live-out");
const updated = document.querySelector("[data-updated]");
const shopDay = document.querySelector("[data-shop-day]");
let shown = null;
let asking = false;

async function update() {
  if (document.hidden || asking) return;
  asking = true;
  try {
    const answer = await fetch(place.dataset.liveBoard, { redirect: "manual", cache: "no-store" });
    out.hidden = answer.type !== "opaqueredirect";
    if (!out.hidden) return;
    if (!answer.ok) throw new Error(answer.status);
    draw(await answer.text());
    failed.hidden = true;
  } catch {
    failed.hidden = false;
  } finally {
    asking = false;
  }
}

function draw(html) {
  const zone = { hour: "numeric", minute: "2-digit", timeZone: updated.dataset.zone };
  updated.textContent = `${updated.dataset.updated} ${new Date().toLocaleTimeString("en-US", zone).replace("\u202f", " ")}`;
  if (html === shown) return;
  shown = html;
  const ticked = new Set([...board.querySelectorAll("input:checked")].map((box) => box.value));
  const held = key(document.activeElement);
  const top = anchor();
  board.innerHTML = html;
  shopDay.textContent = board.querySelector("[data-day]").dataset.day;
  for (const box of board.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.value);
  if (held) [...board.querySelectorAll("input, button, a")].find((one) => key(one) === held)?.focus({ preventScroll: true });
  top?.();
}

// What a control is, whichever time it was drawn.
function key(one) {
  if (!board.contains(one)) return null;
  return [one.tagName, one.name, one.value, one.getAttribute("formaction"), one.getAttribute("href")].join();
}

// Remembers the first control on the screen, to bring it back to the same place.
function anchor() {
  const first = [...board.querySelectorAll("input, button, a")].find((one) => one.getBoundingClientRect().top > 0);
  if (!first) return null;
  const [held, before] = [key(first), first.getBoundingClientRect().top];
  return () => {
    const again = [...board.querySelectorAll("input, button, a")].find((one) => key(one) === held);
    if (again) scrollBy(0, again.getBoundingClientRect().top - before);
  };
}

setInterval(update, EVERY);
document.addEventListener("visibilitychange", update);
