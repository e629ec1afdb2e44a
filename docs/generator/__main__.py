"""Write the generated files, or with ``--check`` say which of them are out of date.

A JSON Schema is only replaced by one that old producers and consumers understand; anything else needs a new version.
"""

import argparse
import sys
from pathlib import Path

from docs.generator import contracts, life_cycle, packs, services

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """0: all up to date. 1: drift, or an incompatible schema; the text says which file and what to do."""
    parser = argparse.ArgumentParser(prog="python -m docs.generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file is out of date")
    check = parser.parse_args().check

    refusals = contracts.incompatibilities(ROOT)
    for refusal in refusals:
        print(f"incompatible: {refusal}", file=sys.stderr)
    if refusals:
        print("Keep the old version as it is and add a new event type, as NAME.v2 (docs/adr/0003).", file=sys.stderr)
        return 1

    stale = False
    wanted = {**contracts.files(ROOT), **services.files(ROOT), **life_cycle.files(ROOT), **packs.files(ROOT)}
    for path, text in wanted.items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if check:
            print(f"out of date: {path.relative_to(ROOT)}; run make docs and commit", file=sys.stderr)
            stale = True
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    for path in contracts.orphans(ROOT, wanted):
        print(f"nothing generates {path.relative_to(ROOT)}; an event type is never removed", file=sys.stderr)
        stale = True
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
