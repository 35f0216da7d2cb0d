// Narrows a list that is on the page already: every word must be somewhere in a row's own text, whatever
// its accents and case. Folds as models/names.py does.
"use strict";

const box = document.querySelector("[data-filter]");
const list = document.querySelector(box.dataset.filter);
const rows = [...list.querySelectorAll("[data-row]")];
const letters = { ø: "o", ł: "l", đ: "d", ħ: "h", ŧ: "t", ı: "i", æ: "ae", œ: "oe", þ: "th", ð: "d", ß: "ss", "’": "'" };
const texts = rows.map((row) => folded(row.firstElementChild.textContent));
const none = document.getElementById("filter-none");

function folded(text) {
  const plain = text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return plain.replace(/[øłđħŧıæœþðß’]/g, (letter) => letters[letter]);
}

function narrow() {
  const words = folded(box.value).split(/\s+/);
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
