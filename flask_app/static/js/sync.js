// The Sync button: asks for a sync, which begins at once, shows how far it is, says how it went and brings the
// page up to date. A sync that somebody else has started is followed in the same way.
"use strict";

const EVERY = 700; // milliseconds between two looks
const SLOWEST = 10 * 1000; // and at most so many when nobody answers
const GIVE_UP = 60; // looks in a row that nobody answered: some ten minutes
const panel = document.querySelector("[data-sync]");
const progress = panel?.querySelector("[data-progress]");
let busy = false; // a sync is being asked for or followed

function start() {
  const form = panel.querySelector("form");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    mark(form, true);
    say("");
    const address = await press(form);
    if (address) await follow(address);
    mark(form, false);
  });
  if (panel.dataset.run) follow(panel.dataset.run);
}

// The address of the run to follow: our own, or the one that is in the way; null if there is none.
async function press(form) {
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      redirect: "manual",
      headers: { "X-CSRFToken": form.elements.csrf_token.value, Accept: "application/json" },
    });
    if (isLoggedOut(answer)) return ended();
    const { message, address } = await answer.json();
    if (answer.status === 202) return address;
    say(message, true);
    return answer.status === 409 ? address : null;
  } catch {
    say(panel.querySelector("[data-answer]").dataset.failed, true);
    return null;
  }
}

// Looks at a run until it has ended, the session has, or nobody has answered for a long time.
async function follow(address) {
  busy = true;
  let run = null;
  for (let unanswered = 0; unanswered < GIVE_UP; ) {
    run = await look(address);
    if (run && run.outcome !== "running") break;
    unanswered = run ? 0 : unanswered + 1;
    if (run) show(run);
    await new Promise((resolve) => setTimeout(resolve, Math.min(EVERY * 2 ** unanswered, SLOWEST)));
  }
  progress.hidden = true;
  busy = false;
  if (run?.outcome === "logged out") return;
  if (!run) return say(panel.querySelector("[data-answer]").dataset.failed, true);
  if ("reload" in panel.dataset) return location.reload();
  if (run.message) say(run.message, run.outcome !== "succeeded");
  if (panel.dataset.then && run.outcome === "succeeded") return location.assign(panel.dataset.then);
  await refresh();
}

// What is known of a run; null if nobody answered in a way that could be understood.
async function look(address) {
  try {
    const answer = await fetch(address, { redirect: "manual", cache: "no-store", headers: { Accept: "application/json" } });
    if (isLoggedOut(answer)) {
      ended();
      return { outcome: "logged out" };
    }
    // A poll's line goes into the next one's when both found nothing.
    if (answer.status === 404) return { outcome: "succeeded", message: "" };
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

function isLoggedOut(answer) {
  return answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403;
}

function ended() {
  say("");
  panel.querySelector("[data-ended]").hidden = false;
  return null;
}

function show(run) {
  progress.hidden = false;
  for (const number of progress.querySelectorAll("[data-far]")) {
    const text = run[number.dataset.far].toLocaleString("en-US");
    if (number.textContent !== text) number.textContent = text;
  }
}

function say(message, isBad) {
  const line = panel.querySelector("[data-answer]");
  line.textContent = message;
  line.hidden = !message;
  line.className = isBad ? "flash error" : "flash success";
}

function mark(form, yes) {
  busy = yes;
  form.querySelector("button").toggleAttribute("aria-busy", yes); // not disabled: that would lose the focus
}

// What the sync may have changed on this page: each part is replaced by the server's newer one.
async function refresh() {
  if (panel.dataset.then) return;
  const answer = await fetch(location.href, { redirect: "manual" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const fresh = page.getElementById(part.id);
    if (fresh) part.replaceWith(fresh);
    else part.remove();
  }
}

if (panel) start();
