// Prints the page by its own button.
"use strict";

document.querySelector("[data-print]")?.addEventListener("click", () => print());
