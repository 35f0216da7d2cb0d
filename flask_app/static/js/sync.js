// The Sync button: asks for a sync, shows how far it is, says how it went and brings the page up to date.
// A sync that somebody else started is followed in the same way.
"use strict";

const EVERY = 700; // milliseconds between two looks
const panel = document.querySelector("[data-sync]");
const progress = panel?.querySelector("[data-progress]");
let asking = false; // our own request is on its way: its answer says when the sync has ended
let following = false;

function start() {
  const form = panel.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (asking) return;
    busy(form, true);
    say("");
    for (const number of progress.querySelectorAll("[data-far]")) number.textContent = "0";
    progress.hidden = false;
    asking = true;
    follow();
    if ((await press(form)) && panel.dataset.then) return location.assign(panel.dataset.then);
    asking = false;
    progress.hidden = true; // unless the next look says otherwise
    busy(form, false);
  });
  if ("running" in panel.dataset) follow();
}

// Whether the sync was done.
async function press(form) {
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" },
    });
    const { message } = await answer.json();
    say(message, !answer.ok);
    return answer.ok;
  } catch {
    say(panel.querySelector("[data-answer]").dataset.failed, true);
    return false;
  }
}

async function follow() {
  if (following) return;
  following = true;
  while ((await look()) || asking) await new Promise((resolve) => setTimeout(resolve, EVERY));
  following = false;
  progress.hidden = true;
  await refresh();
}

// Whether a sync is running, as far as we know.
async function look() {
  try {
    const answer = await fetch(panel.dataset.status, { headers: { Accept: "application/json" } });
    if (!answer.ok) return answer.status >= 500;
    const state = await answer.json();
    if (state.running) show(state);
    return state.running;
  } catch {
    return true; // look again
  }
}

function show(state) {
  progress.hidden = false;
  for (const number of progress.querySelectorAll("[data-far]")) {
    const text = state[number.dataset.far].toLocaleString("en-US");
    if (number.textContent !== text) number.textContent = text;
  }
}

function say(message, isBad) {
  const line = panel.querySelector("[data-answer]");
  line.textContent = message;
  line.hidden = !message;
  line.className = isBad ? "flash error" : "flash success";
}

function busy(form, yes) {
  form.querySelector("button").toggleAttribute("aria-busy", yes); // not disabled: that would lose the focus
}

// What the sync may have changed on this page: each part is replaced by the server's newer one.
async function refresh() {
  if (panel.dataset.then) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) part.replaceWith(fresh);
    else part.remove();
  }
}

if (panel) start();
