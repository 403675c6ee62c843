"""Mutate rasters and archives: `make prove-rasters`, or `python -m tests.mutants --first 0 --count 1000`.

Each number stands for one mutant. A run that was interrupted goes on with `--first`. Exit status 1 when a
mutant was neither read nor refused with a typed error.
"""

import argparse
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import track
from rich.text import Text

from service.terminal.tables import columns, facts
from tests.mutants.judging import Verdicts, read_here
from tests.mutants.over_http import reading_over_http
from tests.proofs.__main__ import processor
from tests.support.bundles import write_bundle
from training.run.provenance import git_revision

CHUNK = 250
"""Mutants after which a process reports."""


def main() -> int:
    """Judge the mutants, print what became of them, and return the exit status."""
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    begun = time.monotonic()
    found = (judge_over_http if options.http else judge_here)(options, console)
    show(console, options, found, time.monotonic() - begun)
    return 1 if found.faults else 0


def judge_here(options: argparse.Namespace, console: Console) -> Verdicts:
    """Judge the mutants in several processes."""
    found, last = Verdicts(), options.first + options.count
    starts = range(options.first, last, CHUNK)
    with ProcessPoolExecutor(options.processes) as pool:
        judged = pool.map(judge, starts, (min(start + CHUNK, last) for start in starts))
        for some in track(judged, "mutants", total=len(starts), console=console):
            found.merge(some)
    return found


def judge_over_http(options: argparse.Namespace, console: Console) -> Verdicts:
    """Judge the mutants by the answers of a real server."""
    found, numbers = Verdicts(), range(options.first, options.first + options.count)
    with TemporaryDirectory() as folder, reading_over_http(write_bundle(Path(folder) / "tiny")) as read:
        for number in track(numbers, "mutants", console=console):
            found.add(number, read)
    return found


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="Number of the first mutant. Default: 0.")
    parser.add_argument("--count", type=int, default=100_000, help="Number of mutants. Default: 100,000.")
    parser.add_argument("--processes", type=int, default=2, help="Processes that judge. Default: 2.")
    parser.add_argument("--http", action="store_true", help="Send them to a real server, one by one.")
    return parser.parse_args()


def judge(start: int, end: int) -> Verdicts:
    """Judge the mutants of the numbers from `start` up to `end`."""
    verdicts = Verdicts()
    for number in range(start, end):
        verdicts.add(number, read_here)
    verdicts.memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return verdicts


def show(console: Console, options: argparse.Namespace, found: Verdicts, seconds: float) -> None:
    """Print the figures and the verdict."""
    slowest_s, slowest = found.slowest
    circumstances = {
        "mutants": f"{options.first} to {options.first + options.count - 1}",
        "throughput": f"{options.count / seconds:,.0f} a second",
        "slowest": f"{slowest_s:.2f} s, mutant {slowest}",
        "memory": f"{found.memory_mib:,} MiB at most in a process" if found.memory_mib else "not measured",
        "commit": git_revision(),
        "processor": processor(),
    }
    console.print(facts(circumstances.items()))
    rows = [(outcome, f"{count:,}") for outcome, count in found.outcomes.most_common()]
    console.print(columns(("outcome", "mutants"), rows))
    for fault in found.faults:
        console.print(Text(fault, "red"))
    verdict = (
        f"{len(found.faults)} mutants were neither read nor refused with a typed error."
        if found.faults
        else "Every mutant was read, or refused with a typed error."
    )
    console.print(Text(verdict, "bold red" if found.faults else "bold green"))


if __name__ == "__main__":
    sys.exit(main())
