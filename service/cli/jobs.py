"""`loupe jobs`: requests whose work is done after their answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from loupe.answers.base import Json
from loupe.following import follow as follow_job
from loupe.paths import path_to
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Commands,
    Url,
    console,
    open_client,
    print_json,
)
from service.cli.short_ids import full_id
from service.terminal.jobs import eta_text, job_view, jobs_view

job_commands = typer.Typer(
    cls=Commands, no_args_is_help=True, help="Follow and cancel jobs: work that a request does not wait for."
)
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of the job, or its beginning.")]
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C has ended."""


@job_commands.command("list")
def list_jobs(as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None) -> None:
    """List the jobs of the workspace, newest first."""
    with open_client(url, api_key) as client:
        found = list(client.items("/v1/jobs"))
    if as_json:
        print_json(found)
        return
    console().print(jobs_view(found) if found else "There is no job.")


@job_commands.command("show")
def show_job(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Wait until the job has ended.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Show a job: its progress, and in the end its result or the reason why it failed."""
    with open_client(url, api_key) as client:
        job_id = full_id(client, "job", job_id)
        if follow:
            with following(f"Job {job_id}") as seen:
                job = client.run(follow_job(job_id, seen))
        else:
            job = client.get(path_to("jobs", job_id))
    if as_json:
        print_json(job)
        return
    console().print(job_view(job))


@job_commands.command("cancel")
def cancel_job(
    job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL, api_key: ApiKey = None
) -> None:
    """Cancel a job. One that runs stops between two batches, and nothing of it is stored."""
    with open_client(url, api_key) as client:
        job_id = full_id(client, "job", job_id)
        job = client.post(path_to("jobs", job_id, "cancel"))
    if as_json:
        print_json(job)
        return
    if job["status"] == "cancelled":
        console().print(f"The job {job_id} is cancelled.")
    else:
        console().print(f"The job {job_id} stops soon.\nTo see when: loupe jobs show {job_id} --follow")


@contextmanager
def following(title: str) -> Iterator[Callable[[Json], None]]:
    """Show a progress bar while the block waits; it gives a function to call with a job that is read.

    Ctrl-C ends the command, says how to go on with the job, and leaves the job alone.
    """
    known: list[str] = []
    err = console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    try:
        with bar:
            shown = bar.add_task(title, total=None, note="")

            def seen(job: Json) -> None:
                known[:] = [job["id"]]
                progress = job["progress"]
                note = eta_text(job) if job["status"] == "running" else job["status"]
                bar.update(shown, total=progress.get("tiles"), completed=progress["tiles_done"], note=note)

            yield seen
    except KeyboardInterrupt:
        for job_id in known:
            console(stderr=True).print(
                f"The job {job_id} goes on.\nTo follow it again: loupe jobs show {job_id} --follow\n"
                f"To cancel it: loupe jobs cancel {job_id}"
            )
        raise typer.Exit(INTERRUPTED) from None
