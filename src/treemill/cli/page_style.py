"""How the page about a run looks: one accent, one warning, both readable on light and on dark."""

STYLE = """
:root {
  --paper: #fcfcfb; --card: #ffffff; --ink: #1c1d1f; --quiet: #63666b; --rule: #e3e4e1;
  --accent: #2f6f9f; --soft: #2f6f9f33; --slow: #b7791f; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17181a; --card: #1f2123; --ink: #e8e8e6; --quiet: #a0a4a8; --rule: #34373a;
    --accent: #7db8e0; --soft: #7db8e033; --slow: #e0b060; --bad: #f2938c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header, main { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; }
h1 { font-size: 1.5rem; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 2px; }
p { margin: 0 0 8px; }
code { font: 0.95em ui-monospace, monospace; }
.quiet { color: var(--quiet); font-size: 0.87rem; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; }
section { padding: 18px 20px; margin: 16px 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 8px 36px; }
.tile b { display: block; font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--quiet); font-size: 0.87rem; }
.tile.bad b { color: var(--bad); }
svg { display: block; width: 100%; height: auto; margin-top: 8px; }
svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
svg rect { fill: var(--accent); stroke: var(--card); stroke-width: 0.5; }
svg rect.slow { fill: var(--slow); }
svg rect:hover { fill: var(--ink); }
svg .commit { stroke: var(--quiet); stroke-width: 1.5; }
svg .grid { stroke: var(--rule); }
svg .area { fill: var(--soft); }
svg .line { fill: none; stroke: var(--accent); stroke-width: 2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th { text-align: left; font-weight: 600; color: var(--quiet); }
th, td { padding: 4px 16px 4px 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: anywhere; }
td { font-variant-numeric: tabular-nums; }
td.bar { width: 60%; }
td.bar i { display: block; height: 12px; min-width: 2px; margin-top: 5px; }
td.bar i { background: var(--accent); border-radius: 3px; }
td.number { text-align: right; white-space: nowrap; }
summary { cursor: pointer; }
"""
