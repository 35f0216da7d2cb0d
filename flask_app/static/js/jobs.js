// A job's field suggests jobs while somebody types (a combobox as WAI-ARIA describes it). Without this the
// form's Find button, or sending words in place of a number, brings the jobs that were found.
"use strict";

const PAUSE = 150; // milliseconds without a keystroke

for (const field of document.querySelectorAll("[data-suggest]")) suggestIn(field);

function suggestIn(field) {
  const input = field.querySelector("input");
  const list = field.querySelector("[role=listbox]");
  const said = field.querySelector("[data-said]");
  let asking = null;
  let waiting = 0;
  let chosen = -1;

  const set = (name, value) => input.setAttribute(name, value);
  const options = () => [...list.children];
  set("role", "combobox");
  set("aria-autocomplete", "list");
  set("aria-controls", list.id);
  set("aria-expanded", "false");

  function close() {
    clearTimeout(waiting);
    asking?.abort();
    list.hidden = true;
    chosen = -1;
    set("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function take(option) {
    input.value = option.dataset.number;
    for (const radio of field.querySelectorAll("[type=radio]")) radio.checked = false;
    said.textContent = option.textContent.trim().replace(/\s+/g, " ");
    close();
  }

  function mark(number) {
    const all = options();
    chosen = (number + all.length) % all.length;
    all.forEach((option, n) => option.setAttribute("aria-selected", String(n === chosen)));
    set("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  }

  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const answer = await fetch(`${field.dataset.suggest}?${new URLSearchParams({ q: input.value })}`, { signal });
      if (!answer.ok || answer.redirected) return close();
      list.innerHTML = await answer.text();
    } catch {
      return; // another keystroke, or no network: the form can be sent as it is
    }
    const count = list.children.length;
    said.textContent = count === 0 ? "No jobs found" : count === 1 ? "One job found" : `${count} jobs found`;
    list.hidden = count === 0;
    chosen = -1;
    set("aria-expanded", String(count > 0));
    input.removeAttribute("aria-activedescendant");
  }

  input.addEventListener("input", () => {
    clearTimeout(waiting);
    if (input.value.trim()) waiting = setTimeout(ask, PAUSE);
    else close();
  });

  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden && input.value.trim()) ask();
    if (list.hidden) return;
    if (event.key === "ArrowDown") mark(chosen + 1);
    else if (event.key === "ArrowUp") mark(chosen < 0 ? -1 : chosen - 1);
    else if (event.key === "Enter" && chosen >= 0) take(options()[chosen]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });

  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the input keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) take(option);
  });
  input.addEventListener("blur", close);
}
