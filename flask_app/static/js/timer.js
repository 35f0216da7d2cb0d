// Keeps every time on the page running: [data-since] shows how long ago its datetime was, [data-live] is a total
// that grows, [data-clock] the time in a zone. The server's clock counts, not the phone's: the page says what
// time it was when it was made.
"use strict";

const drawnAt = Date.parse(document.documentElement.dataset.now);
const ahead = drawnAt - Date.now(); // milliseconds

function minuteOf(instant) {
  return Math.floor(instant / 60000);
}

function show(element, minutes) {
  const worth = Math.max(0, minutes);
  write(element, `${Math.floor(worth / 60)}:${String(worth % 60).padStart(2, "0")}`);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  const now = Date.now() + ahead;
  for (const element of document.querySelectorAll("[data-since]")) {
    show(element, minuteOf(now) - minuteOf(Date.parse(element.dateTime)));
  }
  for (const element of document.querySelectorAll("[data-live]")) {
    show(element, Number(element.dataset.live) + minuteOf(now) - minuteOf(drawnAt));
  }
  for (const element of document.querySelectorAll("[data-clock]")) {
    const zone = { hour: "numeric", minute: "2-digit", timeZone: element.dataset.clock };
    write(element, new Date(now).toLocaleTimeString("en-US", zone).replace("\u202f", " "));
  }
  for (const hand of document.querySelectorAll("[data-hand]")) {
    hand.setAttribute("x", `${(Math.floor(now / 1000) % 60) / 0.6}%`);
  }
}

tick();
setInterval(tick, 1000);
