"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks import raw
from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.measures import MEASURES
from benchmarks.peers import all_peers
from benchmarks.processes import Trouble
from benchmarks.table import machine, print_table, write_json

WIDTH = 170


def main(argv: list[str] | None = None) -> None:
    """Run the measures that were asked for, draw the table, write the JSON."""
    options = _parse(argv)
    # A file or a pipe gets the whole table too.
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    progress = Console(stderr=True, highlight=False)
    figures: list[Figure] = []
    fsync_s = 0.0
    folder = Path(tempfile.mkdtemp(prefix="gigq-benchmarks-", dir=options.dir))
    try:
        fsync_s = raw.fsync_seconds(folder / "fsync")
        facts = {**machine(fsync_s), "peers": [peer.name for peer in all_peers()]}
        console.print(", ".join(f"{key} {value}" for key, value in facts.items()), markup=False)
        bench = Bench(
            folder, options.runs, options.quick, lambda text: progress.print(text, markup=False)
        )
        for name in options.only or MEASURES:
            started = time.monotonic()
            progress.print(f"{name}:", markup=False)
            try:
                figures += MEASURES[name](bench)
            except (Trouble, OSError) as problem:
                figures.append(Figure(name, "no figure", "-", notes=[str(problem)]))
            progress.print(f"  {time.monotonic() - started:.0f} s", markup=False)
    except KeyboardInterrupt:
        progress.print("Stopped; these are the figures so far.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_table(console, figures)
    if options.json:
        write_json(options.json, figures, fsync_s, options.runs, options.quick)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the queue against its peers and the disk."
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=list(MEASURES),
        metavar="NAME",
        help=f"one measure; may be given again. One of: {', '.join(MEASURES)}",
    )
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that all works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="a folder on the disk to measure (temporary files')"
    )
    options = parser.parse_args(argv)
    if options.runs < 1:
        parser.error("--runs must be 1 or more")
    if options.dir and not options.dir.is_dir():
        parser.error(f"{options.dir} is not a folder")
    return options
