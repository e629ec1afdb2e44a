"""``python -m bench``: measure all sections, or the named ones, print them and write RESULTS.md and results.json."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from bench import raw, report

SECTIONS = ("raw",)


def main(arguments: Sequence[str]) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", help=f"which to measure: {', '.join(SECTIONS)}; all unless named")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each measurement (3)")
    parser.add_argument("--concurrency", type=int, default=16, help="registrations under way at once (16)")
    parser.add_argument("--rate", type=float, default=20.0, help="matters per second of the steady load (20)")
    parser.add_argument("--dry", action="store_true", help="print only, write no result files")
    options = parser.parse_args(arguments)
    command = " ".join(["python -m bench", *arguments])
    for name in options.sections or SECTIONS:
        if name not in SECTIONS:
            parser.error(f"{name} is not a section; there are {', '.join(SECTIONS)}")
        section = asyncio.run(
            raw.measure(
                rounds=options.rounds, concurrency=options.concurrency, per_second=options.rate, command=command
            )
        )
        report.show(section)
        if not options.dry:
            report.save(section)


if __name__ == "__main__":
    main(sys.argv[1:])
