"""`loupe deliver`: files and archives for any patches of an order, or files for one patch each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

from loupe import Client, ClientError, ProblemError, calls
from loupe.answers.base import Json
from loupe.bodies import Sent
from loupe.options import DeliveryOptions, PatchDeliveryOptions
from loupe.paths import path_to
from service.cli.connection import (
    DEFAULT_URL,
    ApiKey,
    AsJson,
    Bands,
    Radiometry,
    Url,
    UsageError,
    console,
    open_client,
    print_json,
    sentences,
)
from service.cli.orders import OrderId
from service.cli.short_ids import full_id
from service.terminal.blocks import plural
from service.terminal.deliveries import delivery_details, delivery_table
from service.terminal.documents import order_view

PATCH_FILE = re.compile(r"tile-(\d+)-patch-(\d+)\.tiff?", re.IGNORECASE)

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILE]...", help="GeoTIFFs or zip archives that show any part of the order, with any names."
    ),
]
Tile = Annotated[int | None, typer.Option(help="Number of the tile, if FILE is meant for one patch.", min=0)]
Patch = Annotated[
    int | None, typer.Option(help="Number of the patch in its tile: 4 x column + row.", min=0, max=15)
]
Folder = Annotated[
    Path | None, typer.Option(help="Folder with files named tile-<t>-patch-<p>.tif.", file_okay=False)
]
Price = Annotated[
    str | None,
    typer.Option(metavar="AMOUNT", help="Price of each patch of --folder or --patch, if it differs."),
]
AcceptPrice = Annotated[
    bool, typer.Option("--accept-price", help="HOLD more money if --price exceeds what the order holds.")
]
AcceptLate = Annotated[
    bool, typer.Option("--late", help="HOLD the cost again if the order has expired, and take the patches.")
]
AcceptUnlike = Annotated[
    bool, typer.Option("--accept-unlike", help="Take patches that do not look like the scene.")
]


@dataclass(frozen=True)
class OutgoingFile:
    """A file to send, with tile and patch if it is meant for one patch only."""

    path: Path
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class SentFile:
    """A file that was sent: the server's answer, or the reason of its refusal."""

    name: str
    answer: Json | None
    refusal: str | None = None
    problem: Json | None = None

    @property
    def refused(self) -> bool:
        """Whether the file or one of its patches was refused."""
        return self.answer is None or bool(self.answer.get("counts", {}).get("refused"))

    def to_json(self) -> Json:
        """Return plain values for `--json`."""
        given = {"answer": self.answer, "problem": self.problem, "error": self.refusal}
        return {"file": self.name} | {name: value for name, value in given.items() if value is not None}


def deliver(  # noqa: PLR0913  (a command's parameters are its options)
    context: typer.Context,
    order_id: OrderId,
    files: Files = None,
    tile: Tile = None,
    patch: Patch = None,
    folder: Folder = None,
    price: Price = None,
    accept_price: AcceptPrice = False,
    accept_unlike: AcceptUnlike = False,
    late: AcceptLate = False,
    bands: Bands = None,
    radiometry: Radiometry = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
) -> None:
    """Upload bought patches. SETTLES the share of each from the held money, or --price. Safe to repeat.

    A file or archive may show any number of patches: Loupe finds which. The exit code is 1 when anything was
    refused.
    """
    outgoing = _outgoing(files or [], tile, patch, folder)
    if price is not None and any(one.place is None for one in outgoing):
        raise UsageError("--price applies to one patch. Give --tile and --patch, or --folder DIR.")
    options: PatchDeliveryOptions = {
        "bands": bands,
        "radiometry": radiometry,
        "price": price,
        "accept_price": accept_price or None,
        "accept_late": late or None,
        "accept_unlike": accept_unlike or None,
    }
    with open_client(url, api_key) as client:
        order_id = full_id(client, "order", order_id)
        sent = _send_all(client, order_id, outgoing, options, context.command)
        state = client.get(path_to("orders", order_id))
    if as_json:
        print_json({"files": [one.to_json() for one in sent], "order": state})
    else:
        _print(sent, state)
    refused = [one for one in sent if one.refused]
    if refused and as_json:
        raise typer.Exit(1)
    if refused:
        raise UsageError(_refusals(refused))


def _outgoing(
    files: Sequence[Path], tile: int | None, patch: int | None, folder: Path | None
) -> list[OutgoingFile]:
    if folder is not None and not files and tile is None and patch is None:
        return _folder_files(folder)
    if folder is None and files and tile is None and patch is None:
        missing = [str(path) for path in files if not path.is_file()]
        if missing:
            raise UsageError(f"There is no file {', '.join(missing)}.")
        return [OutgoingFile(path) for path in files]
    if folder is None and len(files) == 1 and tile is not None and patch is not None:
        return [OutgoingFile(files[0], (tile, patch))]
    raise UsageError(
        "Give FILEs, or one FILE with both --tile and --patch for a single patch, or --folder DIR."
    )


def _folder_files(folder: Path) -> list[OutgoingFile]:
    found = [(match, path) for path in folder.iterdir() if (match := PATCH_FILE.fullmatch(path.name))]
    if not found:
        raise UsageError(
            f"No file in {folder} is named like tile-0-patch-5.tif. Rename the files, or give them by their "
            "names: loupe deliver ORDER FILE..."
        )
    named = sorted((int(match[1]), int(match[2]), path) for match, path in found)
    return [OutgoingFile(path, (tile, patch)) for tile, patch, path in named]


def _send_all(
    client: Client,
    order_id: str,
    files: Sequence[OutgoingFile],
    options: PatchDeliveryOptions,
    command: Any,
) -> list[SentFile]:
    """Send every file, with the bytes sent so far on a terminal; a refusal does not stop the others."""
    err = console(stderr=True)
    shown = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
    with Progress(*shown, console=err, transient=True, disable=not err.is_terminal) as progress:
        total = sum(one.path.stat().st_size for one in files)
        task = progress.add_task("Delivering", total=total)
        answers, before = [], 0
        for one in files:
            progress.update(task, description=f"Delivering {one.path.name}", completed=before)
            try:
                answer = _send(client, order_id, one, options, _after(before, progress, task))
                answers.append(SentFile(one.path.name, answer))
            except ClientError as error:
                problem = error.problem if isinstance(error, ProblemError) else None
                reason = ": ".join(sentences(error, command).splitlines())
                answers.append(SentFile(one.path.name, None, reason, problem))
            before += one.path.stat().st_size
        return answers


def _after(before: int, progress: Progress, task: TaskID) -> Sent:
    """Show the bytes of a file, which may be sent again from its first, beside those of the files before."""
    return lambda done, _size: progress.update(task, completed=before + done)


def _send(
    client: Client, order_id: str, file: OutgoingFile, options: PatchDeliveryOptions, sent: Sent
) -> Json:
    if file.place is not None:
        tile, patch = file.place
        return client.run(calls.deliver_patch(order_id, tile, patch, file.path, sent, **options))
    whole: DeliveryOptions = {
        "bands": options.get("bands"),
        "radiometry": options.get("radiometry"),
        "accept_unlike": options.get("accept_unlike"),
        "accept_late": options.get("accept_late"),
    }
    return client.run(calls.deliver(order_id, file.path, sent, **whole))


def _print(sent: Sequence[SentFile], state: Json) -> None:
    """Print what each file for many patches delivered, and the order."""
    out = console()
    answers = [(one.name, one.answer) for one in sent if one.answer and "counts" in one.answer]
    if answers:
        out.print(delivery_table(answers))
        out.print(delivery_details(answers))
    out.print(order_view(state))


def _refusals(refused: Sequence[SentFile]) -> str:
    files = [one for one in refused if one.answer is None]
    lines = [f"{plural(len(files), 'file')} refused:"] if files else []
    lines += [f"{one.name}: {one.refusal}" for one in files]
    patches = sum(int(one.answer["counts"]["refused"]) for one in refused if one.answer)
    if patches:
        lines.append(f"{plural(patches, 'patch')} refused, as listed above.")
    return "\n".join(lines)
