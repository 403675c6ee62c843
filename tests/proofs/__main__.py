"""Prove the ledger: `make prove-ledger`, or `python -m tests.proofs --only crashes --seed 7`.

Exit status 1 when a proof fails.
"""

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from io import TextIOWrapper
from pathlib import Path

import psutil
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

import service.geotiff  # noqa: F401  (first, for it locks GDAL and factories import rasterio)
from service.terminal.blocks import indent
from service.terminal.tables import columns, facts
from tests.proofs.control import prove_no_overspending
from tests.proofs.crashes import prove_crashes_lose_nothing
from tests.proofs.duplicates import prove_duplicates_have_one_effect
from tests.proofs.guards import prove_every_guard_is_tested
from tests.proofs.history import prove_history_is_explained
from tests.proofs.machine import prove_model_agrees
from tests.proofs.proof import Laboratory, Proof, laboratory
from tests.proofs.rates import measure_rates
from tests.proofs.server_crashes import prove_server_crashes_lose_nothing
from tests.proofs.tampering import prove_forgeries_are_found, prove_tampering_is_found
from training.run.provenance import git_revision

PROOFS: dict[str, Callable[[Laboratory], Proof]] = {
    "control": prove_no_overspending,
    "machine": prove_model_agrees,
    "history": prove_history_is_explained,
    "tampering": prove_tampering_is_found,
    "forgeries": prove_forgeries_are_found,
    "guards": prove_every_guard_is_tested,
    "duplicates": prove_duplicates_have_one_effect,
    "crashes": prove_crashes_lose_nothing,
    "server-crashes": prove_server_crashes_lose_nothing,
    "rates": measure_rates,
}


def main() -> int:
    """Run the selected proofs and report them; return the exit status."""
    options = arguments()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # in a log, each proof appears as it ends
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    with laboratory(options.seed) as opened:
        circumstances = describe(opened)
        console.print(facts((name, str(value)) for name, value in circumstances.items()))
        results = [timed(console, opened, name) for name in options.only]
    failed = [name for name, proof, _ in results if not proof.holds]
    verdict = (
        f"{len(failed)} of {len(results)} proofs FAILED: {', '.join(failed)}"
        if failed
        else "All proofs hold."
    )
    console.print(Text(f"\n{verdict}", "bold red" if failed else "bold green"))
    if options.json:
        proofs = {
            name: asdict(proof) | {"holds": proof.holds, "seconds": seconds}
            for name, proof, seconds in results
        }
        options.json.write_text(json.dumps({**circumstances, "proofs": proofs}, indent=1) + "\n")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.proofs", description=__doc__)
    parser.add_argument(
        "--seed",
        type=int,
        default=secrets.randbelow(10**6),
        help="Seed of every random choice. Default: a new one.",
    )
    parser.add_argument(
        "--only", nargs="+", choices=PROOFS, default=list(PROOFS), help="Proofs to run. Default: all."
    )
    parser.add_argument("--json", type=Path, help="File to which the report is also written.")
    return parser.parse_args()


def describe(opened: Laboratory) -> dict[str, str | int]:
    """Return the circumstances on which the figures depend."""
    return {
        "seed": opened.seed,
        "commit": git_revision(),
        "server": opened.setting("version()").split(" on ")[0],
        "fsync": opened.setting("current_setting('fsync')"),
        "synchronous_commit": opened.setting("current_setting('synchronous_commit')"),
        "processor": f"{os.cpu_count()} cores, {processor()}",
        "load before": f"{psutil.getloadavg()[0]:.1f}",
    }


def processor() -> str:
    """Return the processor's name according to Linux."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def timed(console: Console, opened: Laboratory, name: str) -> tuple[str, Proof, float]:
    """Run one proof, print it and return it with its seconds."""
    begun = time.perf_counter()
    with console.status(name) as status:
        proof = PROOFS[name](replace(opened, tell=lambda words: status.update(f"{name}: {words}")))
    seconds = round(time.perf_counter() - begun, 1)
    show(console, name, proof, seconds)
    return name, proof, seconds


def show(console: Console, name: str, proof: Proof, seconds: float) -> None:
    """Print a proof: verdict, figures, details, and what contradicts the claim."""
    verdict = Text("holds ", "bold green") if proof.holds else Text("FAILS ", "bold red")
    console.print(Text("\n").append_text(verdict).append(f"{name}: {proof.claim} ({seconds} s)", "bold"))
    console.print(
        indent(
            facts(
                (key, f"{value:,}" if isinstance(value, int) else str(value))
                for key, value in proof.figures.items()
            )
        )
    )
    if proof.details:
        console.print(Padding(columns(proof.titles, proof.details), (1, 0, 0, 2)))
    for words in proof.against:
        console.print(indent(Text(words, "red")))


if __name__ == "__main__":
    sys.exit(main())
