"""The report's looks. One page, no scripts, nothing loaded; bright, dark and printed, wide and narrow."""

_COLOURS = """
:root { color-scheme: light dark; --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  --page: #f6f5f1; --paper: #ffffff; --ink: #1c1e21; --muted: #5f656e; --line: #e2e1db; --neutral: #7d838c;
  --better: #0072b2; --worse: #c4500a; --chosen: #00785a; --tint: #edf5f2; --doubt: #fdf3dc; --edge: #d9a521; }
@media screen and (prefers-color-scheme: dark) { :root {
  --page: #14161a; --paper: #1c1f25; --ink: #eceae4; --muted: #a2a8b2; --line: #32363e; --neutral: #9aa1ab;
  --better: #56b4e9; --worse: #f0884a; --chosen: #3cc79d; --tint: #1b2c2a; --doubt: #2c2718; --edge: #b98c1d; } }
"""

_TEXT = """
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 12px; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--font); overflow-wrap: anywhere; }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
.kicker { color: var(--muted); font-size: 13px; letter-spacing: .06em; text-transform: uppercase; margin: 0 0 10px; }
h1 { font-size: clamp(25px, 4.2vw, 38px); line-height: 1.18; letter-spacing: -.015em; margin: 0 0 14px;
  max-width: 26em; text-wrap: balance; }
h2 { font-size: 21px; letter-spacing: -.005em; margin: 56px 0 6px; }
h3 { font-size: 15px; margin: 0 0 4px; }
p { margin: 0 0 10px; max-width: 46em; }
.lead { font-size: 17px; }
.note { color: var(--muted); font-size: 14px; max-width: 54em; }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 28px; font-size: 14px; }
a { color: var(--better); text-underline-offset: 3px; }
i { font-style: normal; font-size: .8em; }
.better { color: var(--better); } .worse { color: var(--worse); } .neutral { color: var(--muted); }
.tag { font-size: 12px; font-weight: 500; color: var(--chosen); border: 1px solid var(--chosen); border-radius: 9px;
  padding: 0 7px; display: inline-block; }
.callout { border-left: 4px solid var(--neutral); padding: 8px 16px; margin: 16px 0 0; max-width: 54em;
  font-size: 15px; }
.callout ul { margin: 4px 0 0; color: inherit; font-size: inherit; }
.callout.doubt { background: var(--doubt); border-color: var(--edge); border-radius: 0 8px 8px 0; }
ul { padding-left: 1.2em; color: var(--muted); font-size: 14px; max-width: 54em; } li { margin-bottom: 5px; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 22px; font-size: 14.5px;
  margin: 14px 0; }
dt { color: var(--muted); } dd { margin: 0; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
  overflow-x: auto; overflow-wrap: normal; font: 14px/1.6 var(--mono); margin: 10px 0 16px; }
details { margin: 10px 0 0; } .card + .note, .callout + p, .grid + .note { margin-top: 16px; }
summary { cursor: pointer; color: var(--better); font-size: 14.5px; padding: 4px 0; }
details h3 { margin-top: 18px; }
:focus-visible { outline: 2px solid var(--better); outline-offset: 2px; }
"""

_CARDS = """
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px;
  min-width: 0; margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 12px; margin: 24px 0 0; }
.tiles .card span { display: block; color: var(--muted); font-size: 13px; line-height: 1.4; }
.tiles .card b { display: block; font-size: 25px; font-weight: 650; letter-spacing: -.01em; line-height: 1.4; }
.tiles .card b span { display: inline; font: inherit; } .tiles .card b .better { color: var(--better); }
.tiles .card b .worse { color: var(--worse); } .tiles .card b small { font-size: 14px; font-weight: 500; }
.tiles .card b i { font-size: .6em; vertical-align: .15em; }
.tiles b, td, .what { font-variant-numeric: tabular-nums; }
.grid { display: grid; gap: 14px; margin-top: 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(290px, 100%), 1fr)); }
.grid.third { grid-template-columns: repeat(auto-fill, minmax(min(330px, 100%), 1fr)); } .grid .forest { margin: 0; }
.grid.aside { grid-template-columns: minmax(0, 372px) minmax(0, 1fr); align-items: start; }
.grid .scroll { margin-top: 0; }
figure svg, .strip svg { display: block; width: 100%; height: auto; overflow: visible; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 8px; }
figcaption small, .card > small { font-weight: 400; color: var(--muted); font-size: 12.5px; display: block;
  line-height: 1.4; }
.key { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 13.5px; max-width: none; margin: 0; }
.key svg.swatch { width: 34px; height: 12px; margin-right: 7px; vertical-align: -1px; }
.key i { display: inline-block; margin-right: 6px; font-size: 1em; color: var(--ink); }
.key i.better { color: var(--better); }
.key i.worse { color: var(--worse); } .key i.neutral { color: var(--muted); } .key i.winner { color: var(--chosen); }
.key > span { color: var(--muted); } .key .clean { color: var(--ink); } .key .winner { color: var(--chosen); }
.key .other { color: var(--muted); }
.other path { pointer-events: stroke; } .other:hover path { stroke: var(--worse) !important; stroke-width: 3 !important;
  stroke-opacity: 1 !important; }
"""

# A row of a forest plot stacks where its card is narrow: on a phone, and in a small card on any screen.
_FOREST = """
.forest { margin-top: 14px; padding: 8px 0; container-type: inline-size; }
.forest > h3, .forest > small { padding: 4px 14px 0; margin: 0; } .forest .scale { margin-bottom: 4px; }
.forest .row { display: grid; grid-template-columns: minmax(9em, 15em) minmax(0, 1fr) 13.5em; column-gap: 16px;
  padding: 0 16px; align-items: center; }
.forest .marked { background: var(--tint); }
.forest .who { text-align: right; font-size: 14.5px; line-height: 1.3; } .forest .who b { font-weight: 600; }
.forest small { display: block; color: var(--muted); font-size: 12.5px; line-height: 1.35; }
.forest .what { font-size: 14px; line-height: 1.3; padding: 5px 0; } .forest .what span { color: var(--muted); }
.forest .what b { font-size: 15px; } .forest small.better { color: var(--better); }
.forest small.worse { color: var(--worse); }
.ends { display: flex; justify-content: space-between; color: var(--muted); font-size: 12.5px; padding: 0 2.8%; }
.axis { position: relative; height: 18px; color: var(--muted); font-size: 12.5px; }
.axis span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.unit { text-align: center; color: var(--muted); font-size: 12.5px; }
@container (max-width: 640px) {
  .forest .row { grid-template-columns: minmax(0, 1fr) auto; padding: 7px 14px 0; row-gap: 2px; }
  .forest .who { text-align: left; align-self: start; } .forest .what { text-align: right; padding: 0; }
  .forest .strip { grid-column: 1 / -1; grid-row: 2; border-bottom: 1px solid var(--line); padding-bottom: 2px; }
  .forest .head .strip, .forest .scale .strip { grid-row: 1; border: 0; } }
"""

_TABLES = """
.scroll { overflow-x: auto; margin-top: 14px; padding: 4px 0; overflow-wrap: normal; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: 14.5px; }
th, td { text-align: left; padding: 8px 11px; border-bottom: 1px solid var(--line); white-space: nowrap;
  vertical-align: top; font-weight: 400; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--muted); font-size: 13px; white-space: normal; vertical-align: bottom; min-width: 5.5em;
  line-height: 1.35; }
th.number, td.number { text-align: right; }
th:first-child { position: sticky; left: 0; background: var(--paper); white-space: normal; max-width: 19em;
  min-width: 11.5em; overflow-wrap: anywhere; }
td:last-child:not(.number) { white-space: normal; min-width: 8em; }
tr.marked > * { background: var(--tint); } tr.marked > th { font-weight: 600; }
td small, th small { display: block; color: var(--muted); line-height: 1.35; font-weight: 400; }
td.changed { color: var(--chosen); font-weight: 600; }
.strip-of { display: flex; gap: 8px; align-items: center; padding: 5px 16px 5px 0; width: max-content; }
.strip-of div { width: 11em; font-size: 14px; line-height: 1.3; padding: 4px 8px 4px 16px; position: sticky; left: 0;
  background: var(--paper); } .strip-of b { font-weight: 600; }
.strip-of small { display: block; color: var(--muted); }
.strip-of img { width: 84px; height: 84px; object-fit: contain; image-rendering: pixelated; border-radius: 4px;
  background: var(--line); }
.texts { margin-top: 12px; } .texts p { margin: 8px 0 0; max-width: 54em; } .texts small { color: var(--muted); }
del { color: var(--worse); } ins { color: var(--better); text-decoration: underline; font-weight: 600; }
"""

_NARROW = """
@media (max-width: 860px) { .grid.aside { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 640px) {
  main { padding: 26px 14px 48px; } .card { padding: 12px; } th, td { padding: 8px 10px; } h2 { margin-top: 44px; }
  .lead { font-size: 16px; } .tiles { grid-template-columns: 1fr 1fr; gap: 10px; } .tiles .card b { font-size: 20px; }
  .scroll { padding: 4px 0; } th:first-child { max-width: 9em; min-width: 6.5em; }
  .forest { padding: 6px 0; }
  .strip-of div { width: 8em; padding-left: 12px; } .strip-of img { width: 64px; height: 64px; }
  pre { padding: 12px; font-size: 13px; } dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 9px; } }
"""

# Smaller on paper; tables that scroll on a screen are whole there, and what is folded on a screen is open.
_PRINT = """
@media print { @page { margin: 14mm; } body { background: none; } main { max-width: none; padding: 0; zoom: .78; }
  nav { display: none; } h2 { margin-top: 30px; } h2, h3, .note, .key, summary { break-after: avoid; }
  figure, .tiles, .row, tr, .callout, pre, .strip-of, .scroll, .grid .forest { break-inside: avoid; }
  .grid { grid-template-columns: repeat(3, minmax(0, 1fr)); }
  .grid.aside { grid-template-columns: minmax(0, 320px) minmax(0, 1fr); } .tiles { grid-auto-flow: column; }
  .scroll { overflow: visible; } table { font-size: 12.5px; } th, td { padding: 5px 7px; white-space: normal; }
  thead th { min-width: 0; font-size: 12px; } th:first-child { position: static; min-width: 9em; background: none; }
  pre { white-space: pre-wrap; } summary { list-style: none; color: var(--ink); font-weight: 600; }
  details::details-content { content-visibility: visible; block-size: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""

CSS = _COLOURS + _TEXT + _CARDS + _FOREST + _TABLES + _NARROW + _PRINT
