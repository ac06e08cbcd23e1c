// Puts changed style sheets into the page without loading it anew. Served at /_assets/live.js; listens for
// those style sheets of the page that come from the host that the script came from.
(() => {
  "use strict";
  const home = new URL(document.currentScript.src).origin;
  const RETRY = 5000;
  const MAX_PATHS = 32; // more are refused
  const seen = new Map(); // path → what its style sheet was when we last heard
  const coming = new Map(); // a sheet that is being loaded → the one whose place it takes
  let source;
  let listened = "";

  const pathOf = (link) => {
    const url = new URL(link.href, document.baseURI);
    return url.origin === home && url.pathname.endsWith(".css") ? url.pathname : undefined;
  };
  const links = () =>
    [...document.querySelectorAll('link[rel~="stylesheet"][href]')].filter(
      (link) => pathOf(link) && !coming.has(link),
    );

  // The new sheet takes the old one's place only once it is there: the page is never without. What we hear
  // first is put in, too: the file may have changed between the page's loading and our listening.
  const swap = (old, version) => {
    // News that overtake the sheet before them take its place.
    for (const [overtaken, of] of coming) {
      if (of === old) {
        overtaken.remove();
        coming.delete(overtaken);
      }
    }
    const url = new URL(old.href, document.baseURI);
    if (url.searchParams.get("v") === version) return;
    const next = old.cloneNode();
    url.searchParams.set("v", version);
    // Whichever pod is asked: what it remembers is older, unless `v` names it.
    url.searchParams.set("live", "1");
    next.href = url.href;
    const settle = (dropped) => {
      if (next.isConnected) dropped.remove();
      coming.delete(next);
    };
    next.addEventListener("load", () => settle(old));
    next.addEventListener("error", () => settle(next));
    coming.set(next, old);
    old.after(next);
  };

  const hear = ({ data }) => {
    const { path, digest, error } = JSON.parse(data);
    const now = digest ?? `error ${error}`;
    const before = seen.get(path);
    seen.set(path, now);
    if (before === now) return;
    if (error !== undefined) console.error(`${path}: ${error}`);
    const version = digest ? digest.slice(0, 16) : `error-${Date.now()}`;
    links().filter((link) => pathOf(link) === path).forEach((link) => swap(link, version));
  };

  const listen = () => {
    const all = [...new Set(links().map(pathOf))];
    const paths = all.slice(0, MAX_PATHS).sort();
    if (paths.length < all.length) console.warn(`changes of the first ${MAX_PATHS} style sheets only are shown`);
    const query = paths.map((path) => `path=${encodeURIComponent(path)}`).join("&");
    if (query === listened && source?.readyState !== EventSource.CLOSED) return;
    source?.close();
    listened = query;
    if (query === "") return;
    source = new EventSource(`${home}/_assets/live?${query}`);
    source.addEventListener("message", hear);
    // The browser connects again by itself, unless the answer was a refusal.
    source.addEventListener("error", ({ target }) => {
      if (target === source && target.readyState === EventSource.CLOSED) setTimeout(listen, RETRY);
    });
  };

  listen();
  document.addEventListener("DOMContentLoaded", listen);
  addEventListener("load", listen);
})();
