"""Views of jobs."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from loupe.answers.base import Json
from service.terminal.tables import columns, facts
from service.terminal.wording import in_words

NEXT = {
    "plan": "To see the curve: loupe curve {0}\nTo order this plan: loupe order {0}",
    "classification": "The classification has the id {0}.",
}


def jobs_view(jobs: Sequence[Json]) -> RenderableType:
    """Return jobs with their status and progress, one a line."""
    rows = [(job["id"], job["kind"], status_text(job), progress_text(job), job["created_at"]) for job in jobs]
    return columns(("Job", "Kind", "Status", "Tiles", "Created"), rows, right={"Tiles"})


def job_view(job: Json) -> RenderableType:
    """Return a job with its progress, and with its result or the reason why it failed."""
    rows = [
        ("Job", f"{job['id']} ({job['kind']})"),
        ("Status", status_text(job)),
        ("Tiles", progress_text(job)),
        ("Attempts", str(job["attempts"])),
    ]
    if problem := job.get("problem"):
        rows.append(("Problem", ". ".join(in_words(problem))))
    parts: list[RenderableType] = [facts(rows)]
    parts += [Text("\n" + NEXT[name].format(one)) for name, one in job.get("result", {}).items()]
    return Group(*parts)


def status_text(job: Json) -> str:
    """Write a job's status, and for a running one when it is expected to end."""
    if job["status"] != "running":
        return str(job["status"])
    return "is being cancelled" if job["cancel_requested"] else f"running {eta_text(job)}".rstrip()


def progress_text(job: Json) -> str:
    """Format the tiles that are done: "512 of 1,380", or a dash before the file is read."""
    progress = job["progress"]
    return "-" if "tiles" not in progress else f"{progress['tiles_done']:,} of {progress['tiles']:,}"


def eta_text(job: Json) -> str:
    """Format the time at which the tiles will be done, on this machine's clock; nothing if it is unknown."""
    eta = job.get("eta")
    return "" if eta is None else f"until about {datetime.fromisoformat(eta).astimezone():%H:%M:%S}"
