// A form is sent once: while its answer is on the way, its button waits and says so. And a page that was left
// alone, or that comes back through the browser's history, is read again before anybody trusts what it says.
"use strict";

const STALE_AFTER = 5 * 60 * 1000; // milliseconds out of sight
let leftAt = Date.now();
let touched = false;

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || event.defaultPrevented) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  event.submitter?.setAttribute("aria-busy", "true");
  setTimeout(() => release(form), 10000); // no answer: let them try again
});

function release(form) {
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}

document.addEventListener("input", () => {
  touched = true;
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) leftAt = Date.now();
  else if (Date.now() - leftAt > STALE_AFTER && !touched && navigator.onLine && shownByGet()) location.reload();
});

function shownByGet() {
  return !document.querySelector("[aria-invalid]");
}
