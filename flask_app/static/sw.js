// Without a network it shows a page of its own. It keeps that and its style sheet: nothing that is somebody's.
"use strict";

const PAGE = new URL(location).searchParams.get("page");
const KEPT = `offline ${PAGE}`;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(takeOver());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(fromNetwork(event));
  else if (request.method === "GET" && new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(caches.match(request).then((file) => file ?? fetch(request)));
  }
});

async function keep() {
  const page = await fetch(PAGE, { credentials: "omit" });
  if (!page.ok) throw Error(page.status);
  const text = await page.clone().text();
  const files = [...text.matchAll(/"(\/static\/[^"]+\.(?:css|svg)\?[^"]+)"/g)].map((found) => found[1]);
  const kept = await caches.open(KEPT);
  await Promise.all([kept.put(PAGE, page), kept.addAll(files)]);
}

async function takeOver() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== KEPT).map((name) => caches.delete(name)));
  await self.registration.navigationPreload?.enable();
  await self.clients.claim();
}

async function fromNetwork(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    return (await caches.match(PAGE)) ?? Response.error();
  }
}
