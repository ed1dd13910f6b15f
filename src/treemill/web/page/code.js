// Numbered, coloured lines.

import { element } from "./dom.js";
import { coloured } from "./highlight.js";

/** Return a list of lines; `marked` are the first and last line to mark, `onLine` is told which number was chosen. */
export function codeLines(text, language, first, marked, onLine) {
  const list = element("ol");
  coloured(text.replace(/\r\n?/g, "\n").replace(/\n$/, ""), language).forEach((parts, offset) => {
    const number = first + offset;
    const at = element("a", { href: `#line-${number}`, textContent: number, tabIndex: -1, title: `line ${number}` });
    at.setAttribute("aria-hidden", "true");
    at.addEventListener("click", (event) => { event.preventDefault(); onLine?.(number); });
    const source = element("code", {}, ...parts.map(([piece, kind]) => (kind ? element("span", { className: kind, textContent: piece }) : piece)));
    const line = element("li", {}, at, source);
    if (marked && number >= marked[0] && number <= marked[1]) line.className = "at";
    line.dataset.line = number;
    list.append(line);
  });
  return list;
}
