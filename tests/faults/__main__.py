"""Prove that faults lose nothing: `make prove-faults`, or `python -m tests.faults --seeds 20 --seed 7`.

In each seed two clients buy and deliver through one server while a fault strikes at a moment of the seed's
choice. Both insist until each of their requests is answered. Exit status 1 when a promise was broken.
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.text import Text

from service.terminal.tables import columns, facts
from tests.faults.faults import FAULTS, World
from tests.faults.proxy import relaying
from tests.faults.story import Story
from tests.proofs.__main__ import processor
from tests.proofs.duplicates import served
from training.run.provenance import git_revision

CLIENTS = 2
LATEST_S = 2.5
"""Seconds after the start of a seed before which its fault strikes: an undisturbed job takes some two."""
MADE = {"ledger.budget": "budget", "plan": "plan", '"order"': "order", "classification": "labels"}
"""Tables, and the step of a story that makes one row of each."""


@dataclass
class Outcome:
    """Totals over all seeds."""

    counts: Counter[str] = field(default_factory=Counter)
    by_fault: dict[str, Counter[str]] = field(default_factory=dict)
    against: list[str] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)


def main() -> int:
    """Run the seeds, print what happened, and return the exit status."""
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    outcome, begun = Outcome(), time.monotonic()
    with served() as server, relaying("127.0.0.1", 1) as relay:
        world = World(server, relay)
        world.aim()
        for number in track(range(options.seed, options.seed + options.seeds), "faults", console=console):
            run_seed(world, number, outcome)
        outcome.against += judge(world, outcome)
    circumstances = {
        "seeds": f"{options.seed} to {options.seed + options.seeds - 1}",
        "commit": git_revision(),
        "processor": processor(),
        "minutes": f"{(time.monotonic() - begun) / 60:.1f}",
    }
    show(console, circumstances, outcome)
    if options.json:
        found = {"counts": outcome.counts, "by_fault": outcome.by_fault, "against": outcome.against}
        options.json.write_text(json.dumps(circumstances | found, indent=1) + "\n")
    return 1 if outcome.against else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="Number of seeds. Default: 200.")
    parser.add_argument("--seed", type=int, default=0, help="First seed. Default: 0.")
    parser.add_argument("--json", type=Path, help="File to which the report is also written.")
    return parser.parse_args()


def run_seed(world: World, seed: int, outcome: Outcome) -> None:
    """Let two clients live through the fault of a seed; every fault comes up equally often."""
    chance = random.Random(seed)
    name = list(FAULTS)[seed % len(FAULTS)]
    stories = [Story(seed * CLIENTS + number, lambda: world.url) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(story.run) for story in stories]
        time.sleep(chance.uniform(0, LATEST_S))
        FAULTS[name](world, chance)
        faults = [error for future in running if (error := future.exception())]
    counts = outcome.by_fault.setdefault(name, Counter())
    counts["strikes"] += 1
    for story in stories:
        counts.update(story.record.counts)
        outcome.counts.update(story.record.counts)
    outcome.stories += stories
    outcome.against += [f"seed {seed}, {name}: {error}" for error in faults]


def judge(world: World, outcome: Outcome) -> list[str]:
    """Send every keyed request again, and compare the books with what the clients were told."""
    against = list(world.against)
    for story in outcome.stories:
        story.replay()
        against += story.record.against
    query = world.server.query
    against += [" ".join(row) for row in query("SELECT invariant, subject FROM ledger.violations")]
    for table, step in MADE.items():
        ((found,),) = query(f"SELECT count(*) FROM {table}")
        acknowledged = sum(step in story.record.answers for story in outcome.stories)
        if found != acknowledged:
            against.append(f"{found} rows in {table}, where {acknowledged} were acknowledged")
    paid = dict(query("SELECT order_id::text, count(*) FROM delivery GROUP BY order_id"))
    for story in outcome.stories:
        told = story.record
        if told.order and paid.get(told.order, 0) != told.paid:
            against.append(f"order {told.order}: {paid.get(told.order, 0)} paid, {told.paid} acknowledged")
    outcome.counts["patches paid once"] = sum(paid.values())
    return against


def show(console: Console, circumstances: dict[str, str], outcome: Outcome) -> None:
    """Print the figures and the verdict."""
    console.print(facts(circumstances.items()))
    titles = ("strikes", "acknowledged", "without an answer", "answered 503", "answered 429", "answered 409")
    rows = [(name, *(str(counts[title]) for title in titles)) for name, counts in outcome.by_fault.items()]
    console.print(columns(("fault", *titles), rows))
    console.print(f"{outcome.counts['patches paid once']:,} patches were delivered and paid, each once.")
    for words in outcome.against:
        console.print(Text(words, "red"))
    verdict = (
        "Something was lost, doubled or not typed." if outcome.against else "Nothing was lost or doubled."
    )
    console.print(Text(verdict, "bold red" if outcome.against else "bold green"))


if __name__ == "__main__":
    sys.exit(main())
