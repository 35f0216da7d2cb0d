// The Sync button: asks for a sync, shows how far it is, says how it went and brings the list of runs up to date.
// A sync that somebody else started is followed in the same way.
"use strict";

const EVERY = 700; // milliseconds between two looks
const panel = document.querySelector("[data-sync]");

function start() {
  const form = panel.querySelector("form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    busy(form, true);
    say("");
    panel.querySelector("[data-progress]").hidden = false;
    const watching = setInterval(look, EVERY);
    try {
      await press(form);
    } finally {
      clearInterval(watching);
      busy(form, false);
      progress(null);
      await refreshRuns();
    }
  });
  if ("running" in panel.dataset) follow();
}

async function press(form) {
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" },
    });
    const { message } = await answer.json();
    say(message, !answer.ok);
  } catch {
    say(panel.querySelector("[data-answer]").dataset.failed, true);
  }
}

async function look() {
  try {
    const answer = await fetch(panel.dataset.status, { headers: { Accept: "application/json" } });
    if (!answer.ok) return true;
    const state = await answer.json();
    progress(state);
    return state.running;
  } catch {
    return true; // look again
  }
}

async function follow() {
  while (await look()) await new Promise((resolve) => setTimeout(resolve, 3 * EVERY));
  progress(null);
  await refreshRuns();
}

function progress(state) {
  const line = panel.querySelector("[data-progress]");
  line.hidden = !state?.running;
  if (state?.running) {
    const words = line.dataset.words.replace(/{(\w+)}/g, (_all, name) => state[name].toLocaleString("en-US"));
    if (line.textContent !== words) line.textContent = words;
  }
}

function say(message, isBad) {
  const line = panel.querySelector("[data-answer]");
  line.textContent = message;
  line.hidden = !message;
  line.className = isBad ? "flash error" : "flash success";
}

function busy(form, yes) {
  const button = form.querySelector("button");
  button.disabled = yes;
  button.toggleAttribute("aria-busy", yes);
}

async function refreshRuns() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("run-list");
  if (fresh) document.getElementById("run-list").replaceWith(fresh);
}

if (panel) start();
