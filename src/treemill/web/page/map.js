// The code base as a map: folders and files by size, squarified (Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000).

import { byId, counted, drawn, element, fetched } from "./dom.js";
import { openFile } from "./search.js";

const PALETTE = ["#3b7ddd", "#1c9a6c", "#c2571a", "#8a56c9", "#b58900", "#c23b6b", "#2a8f9e", "#6b7d2a", "#7a5c3e", "#5467b0", "#9a4a9a", "#4d7f4d"];
const OTHER = "#7d847f";
const AGES = [["today", 1, "#1c9a6c"], ["this week", 7, "#4f9e3f"], ["this month", 31, "#a58a14"], ["this year", 366, "#b5652a"], ["older", Infinity, "#7d847f"]];
const CHUNKS = [["1 chunk", 1, "#7d847f"], ["up to 5", 5, "#3b7ddd"], ["up to 20", 20, "#8a56c9"], ["more", Infinity, "#c23b6b"]];
const SMALLEST = 3;

let tree = null;
let here = [];
let colours = new Map();

export async function show() {
  const { root, files } = await fetched("/api/map");
  tree = grown(root, files);
  colours = new Map(ranked(files).map((name, place) => [name, PALETTE[place] || OTHER]));
  here = here.filter((name, depth) => folderAt(here.slice(0, depth + 1)));
  draw();
}

export function start() {
  byId("colour-by").addEventListener("change", draw);
  addEventListener("resize", () => { if (tree && !byId("view-map").hidden) draw(); });
}

function ranked(files) {
  const sizes = new Map();
  for (const [, language, size] of files) sizes.set(language || "other", (sizes.get(language || "other") || 0) + size);
  return [...sizes].sort((a, b) => b[1] - a[1]).map(([name]) => name);
}

function grown(name, files) {
  const top = { name, size: 0, count: 0, folders: new Map(), files: [] };
  for (const [path, language, size, chunks, stamp] of files) {
    const parts = path.split("/");
    const leaf = { name: parts.pop(), path, language: language || "other", size: Math.max(1, size), chunks, stamp };
    let folder = top;
    folder.size += leaf.size; folder.count += 1;
    for (const part of parts) {
      if (!folder.folders.has(part)) folder.folders.set(part, { name: part, size: 0, count: 0, folders: new Map(), files: [] });
      folder = folder.folders.get(part);
      folder.size += leaf.size; folder.count += 1;
    }
    folder.files.push(leaf);
  }
  return top;
}

const folderAt = (names) => names.reduce((folder, name) => folder?.folders.get(name), tree);

function colourOf(file) {
  const by = byId("colour-by").value;
  if (by === "language") return colours.get(file.language) || OTHER;
  const value = by === "freshness" ? (Date.now() / 1000 - file.stamp) / 86400 : file.chunks;
  return (by === "freshness" ? AGES : CHUNKS).find(([, most]) => value <= most)[2];
}

function draw() {
  const folder = folderAt(here) || tree;
  const box = byId("treemap").getBoundingClientRect();
  const svg = drawn("svg", { viewBox: `0 0 ${box.width} ${box.height}` });
  place(svg, folder, { x: 0, y: 0, width: box.width, height: box.height }, 0, here);
  byId("treemap").replaceChildren(svg);
  const names = [tree.name, ...here];
  byId("crumbs").replaceChildren(...names.flatMap((name, depth) => {
    const go = element("button", { type: "button", textContent: name });
    go.addEventListener("click", () => { here = here.slice(0, depth); draw(); });
    return depth ? [" / ", go] : [go];
  }), ` ${counted(folder.count)} files, ${counted(Math.round(folder.size / 1000))} kB`);
  legend();
}

function place(svg, folder, box, depth, path) {
  const parts = [...folder.folders.values(), ...folder.files].sort((a, b) => b.size - a.size);
  for (const [part, cell] of squarified(parts, folder.size, box)) {
    if (cell.width < SMALLEST || cell.height < SMALLEST) continue;
    if (part.files) folderCell(svg, part, cell, depth, [...path, part.name]);
    else fileCell(svg, part, cell);
  }
}

function folderCell(svg, folder, cell, depth, path) {
  const head = cell.height > 34 && cell.width > 46 && depth < 4 ? 15 : 0;
  const go = link(() => { here = path; draw(); }, `${path.join("/")}, ${counted(folder.count)} files`);
  const ground = drawn("rect", { ...cell, fill: "transparent" });
  go.append(ground);
  svg.append(go);
  if (head) go.append(label(folder.name, cell.x + 4, cell.y + 11, cell.width - 8, "var(--ink)"));
  const inner = { x: cell.x + 1, y: cell.y + head, width: Math.max(0, cell.width - 2), height: Math.max(0, cell.height - head - 1) };
  if (depth < 5 && cell.width * cell.height > 120) place(svg, folder, inner, depth + 1, path);
  else ground.setAttribute("fill", OTHER);
}

function fileCell(svg, file, cell) {
  const go = link(() => { location.hash = "#search"; openFile(file.path, 1, null); }, `${file.path}, ${counted(file.size)} bytes`);
  go.append(drawn("rect", { ...cell, fill: colourOf(file) }));
  if (cell.width > 44 && cell.height > 16) go.append(label(file.name, cell.x + 3, cell.y + 12, cell.width - 6, "#fff"));
  svg.append(go);
}

function link(act, title) {
  const told = drawn("title");
  told.textContent = title;
  const made = drawn("a", { href: "#map", tabindex: "0", "aria-label": title }, told);
  made.addEventListener("click", (event) => { event.preventDefault(); act(); });
  return made;
}

function label(text, x, y, width, fill) {
  const most = Math.floor(width / 6.3);
  const made = drawn("text", { x, y, fill });
  made.textContent = text.length > most ? `${text.slice(0, Math.max(0, most - 1))}…` : text;
  return made;
}

function* squarified(parts, total, box) {
  let { x, y, width, height } = box;
  let left = total;
  let start = 0;
  while (start < parts.length && width > 0 && height > 0) {
    const side = Math.min(width, height);
    const scale = (width * height) / left;
    let end = start;
    let sum = 0;
    let worst = Infinity;
    while (end < parts.length) {
      const more = sum + parts[end].size * scale;
      const ratio = Math.max((side * side * parts[start].size * scale) / (more * more), (more * more) / (side * side * parts[end].size * scale));
      if (ratio > worst) break;
      worst = ratio; sum = more; end += 1;
    }
    const thick = sum / side;
    let along = 0;
    for (const part of parts.slice(start, end)) {
      const length = (part.size * scale) / thick;
      yield [part, width >= height ? { x, y: y + along, width: thick, height: length } : { x: x + along, y, width: length, height: thick }];
      along += length;
    }
    left -= sum / scale;
    if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
    start = end;
  }
}

function legend() {
  const by = byId("colour-by").value;
  const rows = by === "language" ? [...colours].slice(0, PALETTE.length) : (by === "freshness" ? AGES : CHUNKS).map(([name, , colour]) => [name, colour]);
  byId("legend").replaceChildren(...rows.map(([name, colour]) => element("li", {}, drawn("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, drawn("rect", { width: 10, height: 10, rx: 2, fill: colour })), name)));
}
