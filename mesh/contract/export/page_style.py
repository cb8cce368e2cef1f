"""The style of a product's page: readable on a screen by day and night, on a narrow one, and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { --ink: #1c2430; --paper: #fdfdfb; --line: #d5d9df; --soft: #f1f3f5; --faint: #5b6675; --accent: #0b5f78; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ed; --paper: #14181d; --line: #353d47; --soft: #1e242b; --faint: #9aa5b3; --accent: #6cc3dc; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { margin: 0; font-size: 2rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 0.75rem; padding-bottom: 0.25rem; border-bottom: 2px solid var(--line); font-size: 1.25rem; }
header p { color: var(--faint); }
header p + p { max-width: 48rem; color: var(--ink); font-size: 1.125rem; }
strong { color: var(--ink); }
a { color: var(--accent); }
.table { overflow-x: auto; margin: 1rem 0; }
table { width: 100%; border-collapse: collapse; font-size: 0.9375rem; }
th, td { padding: 0.4rem 0.75rem 0.4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th, td { text-align: left; vertical-align: top; }
thead th { color: var(--faint); font-weight: 600; }
tbody th { font-weight: 400; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
th code, .tag { white-space: nowrap; }
pre { overflow-x: auto; padding: 0.75rem 1rem; border-left: 4px solid var(--accent); background: var(--soft); }
.tag { padding: 0.1rem 0.5rem; border-radius: 0.75rem; background: var(--soft); color: var(--faint); }
@media print {
  :root { --ink: #000; --paper: #fff; --line: #bbb; --soft: #fff; --faint: #444; --accent: #000; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  pre { white-space: pre-wrap; }
  .table { overflow: visible; }
  thead { display: table-header-group; }
  tr, pre { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
