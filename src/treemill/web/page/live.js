// Indexing as it goes on: coverage, throughput, workers, and what was left out.

import { byId, counted, drawn, element } from "./dom.js";

let watching = null;

export function watch(told) {
  watching?.close();
  watching = new EventSource("/api/events");
  watching.onmessage = (event) => { const status = JSON.parse(event.data); told(status); show(status); };
}

export function start() {
  const post = (retry) => fetch(`/api/refresh${retry ? "?retry=1" : ""}`, { method: "POST" });
  byId("refresh").addEventListener("click", () => post(false));
  byId("retry").addEventListener("click", () => post(true));
}

function show(status) {
  const { coverage, run } = status;
  const beat = run.beats[run.beats.length - 1];
  byId("run").textContent = stateOf(status, beat);
  byId("bar").max = Math.max(1, coverage.known);
  byId("bar").value = coverage.searchable;
  figures([
    ["searchable", `${counted(coverage.searchable)} of ${counted(coverage.known)}`],
    ["chunks", counted(coverage.chunks)],
    ["files/s", beat && status.running ? counted(Math.round(beat.files_per_second)) : "–"],
    ["MB/s", beat && status.running ? beat.megabytes_per_second.toFixed(1) : "–"],
    ["skipped", counted(coverage.skipped)],
    ["failed", counted(coverage.failed)],
  ]);
  throughput(run.beats);
  workers(status.running && beat ? beat.in_hand : []);
  timeline(run.batches);
  passed(run.passed, status.last);
}

function stateOf(status, beat) {
  if (status.trouble) return status.trouble;
  if (status.writer) return `process ${status.writer} is indexing; answers come from its commits`;
  if (status.running) return beat ? `indexing: ${counted(beat.ended)} of ${counted(beat.known)}${beat.known_is_final ? "" : " or more"} files` : "looking at the tree";
  if (status.last) return `up to date; the last run took ${status.last.seconds.toFixed(1)} s, ${counted(status.last.files)} files indexed, ${counted(status.last.unchanged)} unchanged`;
  return "idle";
}

function figures(rows) {
  byId("figures").replaceChildren(...rows.map(([name, value]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: value }))));
}

function throughput(beats) {
  const width = 600, height = 96, top = Math.max(1, ...beats.map((beat) => beat.files_per_second));
  const at = (beat, place) => `${((place / Math.max(1, beats.length - 1)) * width).toFixed(1)},${(height - (beat.files_per_second / top) * (height - 4)).toFixed(1)}`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none" });
  if (beats.length > 1) {
    const edge = beats.map(at).join(" ");
    svg.append(drawn("polygon", { class: "area", points: `0,${height} ${edge} ${width},${height}` }), drawn("polyline", { class: "edge", points: edge }));
  }
  const most = beats.length > 1 ? `files a second since the start, ${counted(Math.round(top))} at most` : "no run has been measured yet";
  byId("throughput").replaceChildren(element("p", { className: "muted", textContent: most }), svg);
}

function workers(inHand) {
  const rows = inHand.map(([worker, path, seconds]) => row([String(worker), path, `${seconds.toFixed(1)} s`]));
  byId("workers").replaceChildren(byId("workers").caption, head(["worker", "file in hand", "for"]), element("tbody", {}, ...(rows.length ? rows : [row(["", "no worker is busy", ""])])));
}

function timeline(batches) {
  const lanes = [...new Set(batches.map((batch) => batch.worker))].sort((a, b) => a - b);
  const last = Math.max(1e-6, ...batches.map((batch) => batch.started + batch.seconds));
  const svg = drawn("svg", { viewBox: `0 0 600 ${Math.max(1, lanes.length) * 16}`, preserveAspectRatio: "none", height: Math.max(1, lanes.length) * 16 });
  for (const batch of batches) {
    svg.append(drawn("rect", { class: "batch", x: (batch.started / last) * 600, y: lanes.indexOf(batch.worker) * 16 + 2, width: Math.max(.7, (batch.seconds / last) * 600 - .4), height: 12 }));
  }
  byId("timeline").replaceChildren(svg);
}

function passed(events, last) {
  const failures = (last?.failures || []).map((each) => ({ path: each.path, reason: each.error_type, detail: each.message, failed: true }));
  const skips = (last?.skipped || []).map((each) => ({ path: each.path, reason: each.reason, detail: each.detail, failed: false }));
  const all = failures.length + skips.length ? [...failures, ...skips] : events.slice().reverse();
  const rows = all.slice(0, 200).map((each) => {
    const made = row([each.path, each.reason, each.detail]);
    if (each.failed) made.children[1].className = "bad";
    return made;
  });
  byId("passed").replaceChildren(byId("passed").caption, head(["file", "reason", "detail"]), element("tbody", {}, ...(rows.length ? rows : [row(["nothing", "", ""])])));
}

const row = (texts) => element("tr", {}, ...texts.map((text) => element("td", { textContent: text })));
const head = (texts) => element("thead", {}, element("tr", {}, ...texts.map((text) => element("th", { textContent: text, scope: "col" }))));
