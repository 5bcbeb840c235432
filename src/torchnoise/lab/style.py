"""The report's looks. One page, no scripts, nothing loaded; bright and dark, wide and narrow."""

CSS = """
:root { color-scheme: light dark; --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  --page: #f6f5f1; --paper: #ffffff; --ink: #1c1e21; --muted: #646a73; --line: #e2e1db; --neutral: #7d838c;
  --better: #0072b2; --worse: #c4500a; --tint: #eef4f8; }
@media (prefers-color-scheme: dark) { :root {
  --page: #14161a; --paper: #1c1f25; --ink: #eceae4; --muted: #a2a8b2; --line: #32363e; --neutral: #9aa1ab;
  --better: #56b4e9; --worse: #f0884a; --tint: #1e2a34; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 var(--font); }
main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
.kicker { color: var(--muted); font-size: 13px; letter-spacing: .06em; text-transform: uppercase; margin: 0 0 10px; }
h1 { font-size: clamp(25px, 4.2vw, 38px); line-height: 1.18; letter-spacing: -.015em; margin: 0 0 14px;
  max-width: 26em; }
h2 { font-size: 19px; letter-spacing: -.005em; margin: 48px 0 6px; }
p { margin: 0 0 10px; max-width: 46em; }
.note { color: var(--muted); font-size: 14px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; margin: 26px 0 0; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px;
  min-width: 0; }
.tiles .card span { display: block; color: var(--muted); font-size: 13px; }
.tiles .card b { display: block; font-size: 25px; font-weight: 650; letter-spacing: -.01em; line-height: 1.3; }
.tiles .card b, td.number { font-variant-numeric: tabular-nums; }
.pictures { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 16px; margin-top: 16px;
  align-items: start; }
.ladders { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px; }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; overflow: visible; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 6px; }
figcaption small { font-weight: 400; color: var(--muted); font-size: 12.5px; display: block; line-height: 1.35; }
.ends { display: flex; justify-content: space-between; color: var(--muted); font-size: 12.5px; padding-left: 37%; }
.scroll { overflow-x: auto; margin-top: 14px; padding: 4px 0; }
table { border-collapse: collapse; width: 100%; font-size: 14.5px; }
th, td { text-align: left; padding: 10px 14px; border-bottom: 1px solid var(--line); white-space: nowrap;
  vertical-align: top; }
tr:last-child td { border-bottom: 0; }
th { color: var(--muted); font-weight: 500; font-size: 13px; white-space: normal; vertical-align: bottom; }
th.number, td.number { text-align: right; }
td small { display: block; color: var(--muted); white-space: normal; min-width: 15em; line-height: 1.35; }
td:last-child { white-space: normal; min-width: 9.5em; }
tr.winner { background: var(--tint); }
.word { font-weight: 600; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px;
  overflow-x: auto;  font: 14px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 14px 0 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 22px; font-size: 14.5px; margin: 14px 0; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.2em; color: var(--muted); font-size: 14px; max-width: 52em; } li { margin-bottom: 5px; }
@media (max-width: 820px) { .pictures { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 560px) { main { padding: 26px 14px 48px; } .card { padding: 12px; } th, td { padding: 9px 11px; }
  td small { min-width: 9em; } .tiles { grid-template-columns: 1fr 1fr; } .tiles .card b { font-size: 20px; }
  .ladders { gap: 8px; } .ladders .card { padding: 10px; } .ladders figcaption { font-size: 13px; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 9px; } }
@media print { body { background: none; } .card { break-inside: avoid; } }
"""
