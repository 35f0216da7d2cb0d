// Registers the service worker, where the browser has one: over https and on this machine.
"use strict";

const { worker } = document.currentScript.dataset;
window.addEventListener("load", () => {
  navigator.serviceWorker?.register(worker, { scope: "/", updateViaCache: "all" }).catch(() => {});
});
