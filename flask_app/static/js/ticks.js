// A tick box with data-all ticks and unticks those beside it that are shown.
"use strict";

function boxes(all) {
  const part = all.closest("fieldset");
  return [...part.querySelectorAll("input[type=checkbox]:not([data-all])")].filter((box) => !box.closest("[hidden]"));
}

document.addEventListener("change", (event) => {
  const part = event.target.closest("fieldset");
  const all = part?.querySelector("[data-all]");
  if (!all) return;
  if (event.target === all) for (const box of boxes(all)) box.checked = all.checked;
  all.checked = boxes(all).every((box) => box.checked);
  all.indeterminate = !all.checked && boxes(all).some((box) => box.checked);
});
