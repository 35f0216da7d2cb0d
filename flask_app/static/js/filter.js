// Narrows a list that is on the page already: every word must be somewhere in a row's own text.
"use strict";

const box = document.querySelector("[data-filter]");
const list = document.querySelector(box.dataset.filter);
const rows = [...list.querySelectorAll("[data-row]")];
const texts = rows.map((row) => row.firstElementChild.textContent.toLowerCase());
const none = document.getElementById("filter-none");

function narrow() {
  const words = box.value.toLowerCase().split(/\s+/);
  rows.forEach((row, n) => (row.hidden = !words.every((word) => texts[n].includes(word))));
  for (const part of list.querySelectorAll("section, ul, [data-rest]")) {
    part.hidden = !part.querySelector("[data-row]:not([hidden])");
  }
  for (const rest of list.querySelectorAll("[data-rest]")) rest.open = box.value.trim() !== "";
  none.hidden = rows.some((row) => !row.hidden);
  document.getElementById("filter-said").textContent = none.hidden ? "" : none.textContent;
}

box.addEventListener("input", narrow);
narrow();
