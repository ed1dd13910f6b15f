// Results as one types, and the file at the line.

import { byId, counted, element, fetched } from "./dom.js";
import { codeLines } from "./code.js";

const SHOWN_LINES = 14;
const PAUSE = 40;

let asked = 0;
let timer = 0;
let results = [];
let chosen = -1;
let shown = { path: "", line: 1 };

export function start() {
  const form = byId("ask");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE); });
  byId("query").addEventListener("keydown", step);
  byId("close").addEventListener("click", () => { byId("file").hidden = true; byId("query").focus(); });
  byId("related").addEventListener("click", () => answer({ q: `${shown.path}:${shown.line}`, mode: "related" }));
  byId("outline").addEventListener("change", (event) => goTo(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); byId("query").focus(); }
  });
}

export function setLanguages(languages) {
  const select = byId("lang");
  if (select.options.length - 1 === languages.length) return;
  const kept = select.value;
  select.replaceChildren(element("option", { value: "", textContent: "all" }), ...languages.map((name) => element("option", { value: name, textContent: name })));
  select.value = kept;
}

// A form of several fields and no button is not submitted by Enter.
function step(event) {
  if (event.key === "Enter" && results.length) { event.preventDefault(); open(Math.max(0, chosen)); return; }
  if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
  event.preventDefault();
  if (results.length) choose(Math.min(results.length - 1, Math.max(0, chosen + (event.key === "ArrowDown" ? 1 : -1))));
}

function choose(number) {
  chosen = number;
  [...byId("results").children].forEach((item, place) => item.classList.toggle("chosen", place === number));
  byId("results").children[number]?.scrollIntoView({ block: "nearest" });
}

function ask() {
  const query = byId("query").value;
  if (!query.trim()) {
    asked += 1;
    results = [];
    byId("results").replaceChildren();
    byId("told").textContent = "";
    return;
  }
  answer({ q: query, mode: byId("mode").value, kind: byId("kind").value, lang: byId("lang").value, path: byId("path").value });
}

async function answer(parameters) {
  const mine = ++asked;
  const began = performance.now();
  try {
    const found = await fetched("/api/search", parameters);
    if (mine === asked) show(found, performance.now() - began);
  } catch (error) {
    if (mine === asked) { results = []; byId("results").replaceChildren(); byId("told").textContent = error.message; }
  }
}

function show(found, milliseconds) {
  results = found.results;
  chosen = -1;
  const { searchable, known, complete } = found.coverage;
  const where = `${counted(searchable)} of ${counted(known)} files${complete ? "" : ", incomplete: the index is being built"}`;
  const outcome = results.length
    ? `${results.length} places in ${Math.round(milliseconds)} ms, searched ${where}`
    : `nothing found: ${found.reason} (searched ${where})`;
  byId("told").textContent = [outcome, ...found.notes].join("; ");
  byId("results").replaceChildren(...results.map(item));
  byId("results").dataset.query = found.query;
}

function item(hit, number) {
  const place = element("button", { type: "button", className: "open" },
    element("strong", { textContent: hit.path }), `:${hit.start}-${hit.end}`,
    element("small", { textContent: [hit.kind, hit.symbol].filter(Boolean).join(" ") }));
  place.addEventListener("click", () => open(number));
  const lines = hit.content.split("\n");
  const from = Math.max(0, Math.min(hit.line - hit.start - 2, lines.length - SHOWN_LINES));
  const text = lines.slice(from, from + SHOWN_LINES).join("\n");
  const code = element("div", { className: "code" }, codeLines(text, hit.language, hit.start + from, [hit.line, hit.line], () => open(number)));
  return element("li", {}, place, code);
}

function open(number) {
  choose(number);
  const hit = results[number];
  openFile(hit.path, hit.line, [hit.start, hit.end]);
}

export async function openFile(path, line, marked) {
  try {
    const file = await fetched("/api/file", { path });
    shown = { path, line };
    byId("file-path").textContent = path;
    byId("outline").replaceChildren(...[{ name: "definitions", line: 1 }, ...file.symbols].map((symbol) =>
      element("option", { value: symbol.line, textContent: symbol.kind ? `${symbol.kind} ${symbol.name}` : symbol.name })));
    byId("lines").replaceChildren(codeLines(file.text, file.language, 1, marked, goTo));
    byId("file").hidden = false;
    byId("lines").querySelector(`[data-line="${line}"]`)?.scrollIntoView({ block: "center" });
  } catch (error) {
    byId("told").textContent = error.message;
  }
}

function goTo(line) {
  shown.line = line;
  for (const each of byId("lines").querySelectorAll(".at")) each.classList.remove("at");
  const found = byId("lines").querySelector(`[data-line="${line}"]`);
  found?.classList.add("at");
  found?.scrollIntoView({ block: "center" });
}
