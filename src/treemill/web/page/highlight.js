// Colours for source text of any language: comments, strings, numbers, keywords, names that are called or defined.
// One pass with one expression a family of languages; what it does not know stays plain.

const HASH = new Set("python ruby bash shell yaml toml perl r julia elixir make dockerfile cmake powershell nix tcl awk".split(" "));
const DASH = new Set("sql lua haskell ada elm vhdl".split(" "));
const PERCENT = new Set("tex latex erlang matlab prolog".split(" "));
const SEMI = new Set("lisp clojure scheme racket ini asm".split(" "));
const PLAIN = new Set(["markdown", "text", "rst", "csv", null]);

const KEYWORDS = new Set((
  "abstract and as assert async await base begin bool boolean break case catch char class const constexpr continue crate " +
  "data def default defer deriving do double dyn elif else elsif end ensure enum except export extends extern false final " +
  "finally float fn for foreach from fun func function global go goto guard if impl implements import in include inline " +
  "instanceof int interface internal is lambda let local long loop macro match mod module move mut mutable namespace new " +
  "nil none None not null object of open operator or override package pass private protected protocol pub public raise " +
  "readonly ref require rescue return self Self short signed sizeof static str string struct super switch template then " +
  "this throw throws trait true True False try type typedef typename typeof union unless unsafe unsigned until use using " +
  "val var virtual void volatile when where while with yield select insert update delete create table values join on"
).split(" "));

const STRING = String.raw`"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|` + "`(?:[^`\\\\]|\\\\.)*`?";
const NUMBER = String.raw`\b(?:0[xX][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\b`;
const NAME = String.raw`[A-Za-z_$][\w$]*`;

function commentsOf(language) {
  if (HASH.has(language)) return String.raw`#[^\n]*`;
  if (DASH.has(language)) return String.raw`--[^\n]*|\{-[\s\S]*?(?:-\}|$)|\/\*[\s\S]*?(?:\*\/|$)`;
  if (PERCENT.has(language)) return String.raw`%[^\n]*`;
  if (SEMI.has(language)) return String.raw`;[^\n]*`;
  if (["html", "xml", "vue", "svg"].includes(language)) return String.raw`<!--[\s\S]*?(?:-->|$)`;
  if (language === "php") return String.raw`\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`;
  return String.raw`\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)`;
}

const expressions = new Map();

function expressionOf(language) {
  if (!expressions.has(language)) {
    expressions.set(language, new RegExp(`(${commentsOf(language)})|(${STRING})|(${NUMBER})|(${NAME})`, "g"));
  }
  return expressions.get(language);
}

/** Return lines, each a list of [text, class or ""]. */
export function coloured(text, language) {
  const lines = [[]];
  const put = (piece, kind) => {
    piece.split("\n").forEach((part, number) => {
      if (number) lines.push([]);
      if (part) lines[lines.length - 1].push([part, kind]);
    });
  };
  if (PLAIN.has(language)) {
    put(text, "");
    return lines;
  }
  let done = 0;
  for (const found of text.matchAll(expressionOf(language))) {
    put(text.slice(done, found.index), "");
    done = found.index + found[0].length;
    const called = text[done] === "(";
    const kind = found[1] ? "t-comment" : found[2] ? "t-string" : found[3] ? "t-number"
      : KEYWORDS.has(found[4]) ? "t-keyword" : called ? "t-name" : "";
    put(found[0], kind);
  }
  put(text.slice(done), "");
  return lines;
}
