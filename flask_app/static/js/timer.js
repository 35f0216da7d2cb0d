// Keeps every time on the page running: [data-since] shows how long ago its datetime was, [data-live] is a total
// that grows (by [data-rate] people), [data-rest-meal] and [data-rest-paid] what the meal rule makes of the day
// that grows, on top of other days. [data-until] is a word that another replaces then, [data-clock] the time in a zone. The server's clock counts, not the phone's: the page says what
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

// As flask_app.reporting.timesheet takes it off: never so much that working longer pays less.
function meal(element, passed) {
  const { day, meal, after } = element.dataset;
  return Math.min(Number(meal), Math.max(0, Number(day) + passed - Number(after)));
}

function tick() {
  const now = Date.now() + ahead;
  const passed = minuteOf(now) - minuteOf(drawnAt);
  for (const element of document.querySelectorAll("[data-since]")) {
    show(element, minuteOf(now) - minuteOf(Date.parse(element.dateTime)));
  }
  for (const element of document.querySelectorAll("[data-live]")) {
    show(element, Number(element.dataset.live) + Number(element.dataset.rate ?? 1) * passed);
  }
  for (const element of document.querySelectorAll("[data-rest-meal]")) {
    show(element, Number(element.dataset.restMeal) + meal(element, passed));
  }
  for (const element of document.querySelectorAll("[data-rest-paid]")) {
    show(element, Number(element.dataset.restPaid) + Number(element.dataset.day) + passed - meal(element, passed));
  }
  for (const element of document.querySelectorAll("[data-until]")) {
    if (now >= Date.parse(element.dataset.until)) write(element, element.dataset.then);
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
