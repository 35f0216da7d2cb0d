// Narrows a list that is on the page already: every word must be somewhere in a row's data-words.
"use strict";

const box = document.querySelector("[data-filter]");
const list = document.querySelector(box.dataset.filter);
const rows = [...list.querySelectorAll("[data-words]")];
const none = document.getElementById("filter-none");

function narrow() {
  const words = box.value.toLowerCase().split(/\s+/);
  for (const row of rows) row.hidden = !words.every((word) => row.dataset.words.includes(word));
  for (const section of list.children) section.hidden = !section.querySelector("[data-words]:not([hidden])");
  none.hidden = rows.some((row) => !row.hidden);
  document.getElementById("filter-said").textContent = none.hidden ? "" : none.textContent;
}

box.addEventListener("input", narrow);
narrow();
