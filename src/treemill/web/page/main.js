// The page: which view is shown, and what all of them share.

import { byId, counted, fetched } from "./dom.js";
import * as live from "./live.js";
import * as map from "./map.js";
import * as search from "./search.js";

const VIEWS = ["search", "map", "indexing"];

let generation = -1;

function show() {
  const view = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "search";
  for (const each of VIEWS) byId(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (view === "map") map.show();
}

function told(status) {
  const { coverage } = status;
  byId("root").textContent = status.under ? `${status.root}/${status.under}` : status.root;
  byId("coverage").textContent = `${counted(coverage.searchable)} of ${counted(coverage.known)} files searchable${status.running ? ", indexing" : ""}`;
  if (coverage.refreshed_ns !== generation && !status.running) { generation = coverage.refreshed_ns; languages(); }
}

async function languages() {
  // Without an index there are no languages to choose from; the views say why.
  const { files } = await fetched("/api/map").catch(() => ({ files: [] }));
  search.setLanguages([...new Set(files.map(([, language]) => language).filter(Boolean))].sort());
}

search.start();
map.start();
live.start();
live.watch(told);
addEventListener("hashchange", show);
show();
