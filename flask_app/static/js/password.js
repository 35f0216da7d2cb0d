// A box with data-shows lets somebody read the password that they type.
"use strict";

for (const box of document.querySelectorAll("[data-shows]")) {
  const input = document.getElementById(box.dataset.shows);
  const show = () => (input.type = box.checked ? "text" : "password");
  box.addEventListener("change", show);
  input.form.addEventListener("submit", () => (input.type = "password")); // else the browser may remember it as a text
  show();
}
