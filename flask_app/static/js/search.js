// Search as you type: replaces the list of jobs by the server's answer. Without it the same form is sent by hand.
"use strict";

const PAUSE = 200; // milliseconds without a keystroke
const form = document.querySelector("[data-search]");
const results = document.getElementById("results");
const said = document.getElementById("search-said");
const failed = document.getElementById("search-failed");
let asking = null;
let waiting = 0;

async function ask(page, { announce = true } = {}) {
  asking?.abort();
  asking = new AbortController();
  const { signal } = asking;
  const shown = new URL(page, location.href);
  shown.hash = "";
  const wanted = new URL(form.dataset.search, location.href);
  wanted.search = shown.search;
  results.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(wanted, { signal, headers: { "X-Requested-With": "fetch" } });
    if (answer.redirected) return location.assign(shown); // logged out meanwhile
    if (!answer.ok) throw new Error(`the search was answered with ${answer.status}`);
    draw(await answer.text(), shown, announce);
  } catch (error) {
    if (error.name === "AbortError") return;
    failed.hidden = false;
    failed.querySelector("button").onclick = () => ask(page);
  }
  if (!signal.aborted) results.removeAttribute("aria-busy");
}

function draw(html, shown, announce) {
  const held = document.activeElement.closest("#results a")?.getAttribute("href");
  results.innerHTML = html;
  failed.hidden = true;
  history.replaceState(null, "", shown);
  if (held) (results.querySelector(`a[href="${CSS.escape(held)}"]`) ?? results.querySelector("a"))?.focus();
  if (announce) said.textContent = results.querySelector("[data-said]").textContent;
}

function typed() {
  const page = new URL(form.action);
  const tab = new URLSearchParams(location.search).get("tab");
  const words = form.elements.q.value.trim();
  page.search = new URLSearchParams({ ...(words && { q: words }), ...(tab && { tab }) });
  ask(page);
}

document.querySelector('[href="#q"]')?.addEventListener("click", () => form.elements.q.focus());

form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(typed, PAUSE);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  typed();
});

results.addEventListener("click", (event) => {
  const link = event.target.closest(".seg a, .pager a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  ask(link.href).then(() => link.rel && document.getElementById("board").scrollIntoView());
});
