// Takes Undo away ten seconds after the page said what was done; not from under a keyboard that is on it.
"use strict";

const FOR = 10 * 1000; // milliseconds

for (const form of document.querySelectorAll("[data-toast]")) {
  setTimeout(() => {
    if (!form.contains(document.activeElement)) form.style.visibility = "hidden"; // what is below stays where it is
  }, FOR);
}
