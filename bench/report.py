"""Results: one JSON file that keeps every section's figures, and the page that is written from it.

A section can be measured again alone; the page is then written anew from the new and the kept sections.
"""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

FOLDER = Path(__file__).parent
ORDER = ("startup", "memory", "register", "tickets", "latency", "hop", "timers", "search", "raw")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the page; cells are ready to print."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Section:
    """What one measurement found. ``figures`` holds every single value, for machines; units are in the names."""

    name: str
    title: str
    command: str
    tables: Sequence[Table]
    notes: Sequence[str]
    figures: Mapping[str, Any]
    circumstances: Mapping[str, Any] = field(default_factory=dict[str, Any])


def circumstances() -> dict[str, Any]:
    """Date, size of the machine, how busy it is now, and the commit that is measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_average_before": round(os.getloadavg()[0], 2),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else ""),
    }


def save(section: Section, folder: Path = FOLDER) -> None:
    """Keep the section in ``results.json`` and write ``RESULTS.md`` anew."""
    path = folder / "results.json"
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[section.name] = asdict(section)
    ordered = dict(sorted(kept.items(), key=lambda item: (ORDER.index(item[0].partition("_")[0]), item[0])))
    path.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "RESULTS.md").write_text(page(ordered), encoding="utf-8")


def page(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """The page for people."""
    lines = [
        "# Measured",
        "",
        "Written by `python -m bench`; every single value is in `results.json`. What is measured, how, and what it",
        "does not tell: `README.md`. A figure is the median of its rounds, the range of the rounds stands behind it.",
        "Compare ratios rather than figures: the raw limit was measured between the rounds of the same run.",
    ]
    for section in sections.values():
        lines += ["", f"## {section['title']}", "", f"`{section['command']}`  ", _circumstances(section)]
        for table in section["tables"]:
            lines += ["", *markdown(table["columns"], table["rows"])]
        lines += ["", *(f"- {note}" for note in section["notes"])] if section["notes"] else []
    return "\n".join(lines) + "\n"


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown: the first column to the left, figures to the right."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return [f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows)]


def show(section: Section) -> None:
    """Print the section's tables, aligned, and its notes."""
    print(f"\n{section.title}")
    for table in section.tables:
        widths = [max(len(row[i]) for row in (table.columns, *table.rows)) for i in range(len(table.columns))]
        for row in (table.columns, *table.rows):
            first, *others = (
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  " + "  ".join([first, *others]))
        print()
    for note in section.notes:
        print(f"  - {note}")


def _circumstances(section: Mapping[str, Any]) -> str:
    at = section["circumstances"]
    return (
        f"{at['at'][:16].replace('T', ' ')} UTC · {at['cores']} cores, {at['memory_gib']} GiB · "
        f"commit {at['commit']} · "
        f"load average before {at['load_average_before']}, after {at.get('load_average_after', '–')}"
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(FOLDER), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()
