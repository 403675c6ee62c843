"""Files for the patches of an order, handed in on its page, and what each of them came to."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from starlette.datastructures import UploadFile

from service.access.caller import check_operation, note_export
from service.blobs import spooling
from service.bundles.registry import BundlesDep
from service.dashboard.forms import (
    FieldInvalidError,
    Onward,
    SentForm,
    check_form,
    key_field,
    open_form,
    text_field,
)
from service.dashboard.frame import show
from service.dashboard.orders import on_order
from service.dashboard.session import PATH, VisitorDep
from service.database.engine import DatabaseDep
from service.deliveries.decoding import ReadAs
from service.deliveries.many_patches import receive_files
from service.deliveries.one_patch import Intake
from service.deliveries.routes import download_patch
from service.deliveries.uploads import WRITTEN_AT_ONCE, FileUpload, PatchPath, TilePath
from service.deliveries.views import FilesDeliveryOut, files_delivery
from service.errors import LoupeError, NotFoundError
from service.orders.expiry import expire_orders
from service.orders.repository import find_order
from service.orders.storage import check_storage
from service.settings import BlobsDep, SettingsDep
from service.web.idempotency import Answer, fingerprint, store_once, stored_answer
from service.web.turns import LargeTurnDep
from service.web.values import as_line

router = APIRouter(prefix=f"{PATH}/orders", include_in_schema=False)
MOST_FILES = 20
"""Most files that are handed in at once."""
Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SentFiles:
    """Files of a form, and how to take them."""

    form: SentForm
    files: list[UploadFile]
    read_as: ReadAs
    accept_late: bool


async def sent_files(
    request: Request, visitor: VisitorDep, database: DatabaseDep, settings: SettingsDep
) -> AsyncIterator[SentFiles]:
    """Read the form after its sender is known, may deliver and has room: nobody else can send files.

    Raises RoleNeededError, StorageUsedUpError, CrossSiteError, FieldInvalidError.
    """
    check_operation(request, visitor, database, request.state.notes, "deliver_file")
    await check_storage(request, visitor, database, settings)
    async with request.form(max_files=MOST_FILES, max_fields=10) as form:
        check_form(request, visitor, text_field(form, "form_token"))
        yield SentFiles(
            form=open_form(request, visitor, database, key_field(form)),
            files=[one for one in form.getlist("files") if isinstance(one, UploadFile) and one.filename],
            read_as=ReadAs(accept_unlike=bool(text_field(form, "accept_unlike"))),
            accept_late=bool(text_field(form, "accept_late")),
        )


# Named as the operation of the API: `check_storage` decides by this name how much a request may store.
@router.post("/{order_id}/files", name="deliver_file")
def hand_in(
    order_id: UUID,
    sent: Annotated[SentFiles, Depends(sent_files, scope="function")],
    settings: SettingsDep,
    bundles: BundlesDep,
    blobs: BlobsDep,
    _turn: LargeTurnDep,
) -> Response:
    """Take the files one by one, pay for the patches that they deliver, and show the result of each."""
    form, answer = sent.form, on_order(sent.form, order_id)
    intake = Intake(database=form.database, bundles=bundles, blobs=blobs, settings=settings)

    def do() -> Onward:
        if not sent.files:
            raise FieldInvalidError(
                "No file was chosen. Choose GeoTIFFs or a zip archive, then hand them in."
            )
        expire_orders(form.database, form.visitor.workspace_id, wait=True)
        results = [_take(intake, order_id, sent, one) for one in sent.files]
        kept = _keep(replace(form, key=_key_of(form, results)), order_id, results)
        return Onward(f"{answer['then']}/files/{kept}", _summary(results))

    return form.attempt("deliver_file", do, **answer)


def _key_of(form: SentForm, results: list[Result]) -> str:
    """Return the key of the results. A browser that goes back sends other files with the same form."""
    return f"{form.key}-{fingerprint(*(one['sha256'] for one in results)).hex()[:16]}"


def _keep(form: SentForm, order_id: UUID, results: list[Result]) -> str:
    """Store the results for their page unless they are stored, and return their key."""
    store_once(form.keyed(), lambda _session: Answer(200, {"order": str(order_id), "handed_in": results}))
    return form.key


def _take(intake: Intake, order_id: UUID, sent: SentFiles, file: UploadFile) -> Result:
    """Receive one file and describe what became of it. The only file's refusal is raised."""
    with spooling(intake.blobs) as spool:
        while chunk := file.file.read(WRITTEN_AT_ONCE):
            spool.write(chunk)
        upload = FileUpload(
            order_id=order_id, file=spool.close(), read_as=sent.read_as, accept_late=sent.accept_late
        )
        came = {"name": as_line(file.filename or ""), "sha256": upload.file.sha256}
        try:
            received = files_delivery(receive_files(intake, sent.form.visitor, upload))
        except LoupeError as error:
            if error.status >= 500 or len(sent.files) == 1:
                raise
            return came | {"result": None, "problem": dict(error.problem())}
        return came | {"result": received.model_dump(mode="json"), "problem": None}


def _summary(results: list[Result]) -> str:
    counts = [one["result"]["counts"] for one in results if one["result"]]
    settled = sum(one["settled"] for one in counts)
    refused = sum(one["result"] is None for one in results)
    words = f"{settled:,} {'patch was' if settled == 1 else 'patches were'} delivered and paid for"
    return f"{words}; {refused} of {len(results)} files were refused." if refused else f"{words}."


@router.get("/{order_id}/files/{key}", name="files_page")
def show_files(
    request: Request, visitor: VisitorDep, database: DatabaseDep, order_id: UUID, key: str
) -> Response:
    """Show what the files of one form came to, patch by patch."""
    with database.sessions() as session:
        find_order(session, visitor.workspace_id, order_id)
        stored = stored_answer(session, visitor.workspace_id, key)
    body = stored.body if stored is not None and isinstance(stored.body, dict) else {}
    if body.get("order") != str(order_id) or "handed_in" not in body:  # the key of another request
        raise NotFoundError("There is no such hand-in of files. The page of the order lists its patches.")
    return show(
        request,
        visitor,
        "files.html",
        order_id=order_id,
        results=[_read_back(one) for one in body["handed_in"]],
    )


def _read_back(stored: Result) -> Result:
    """Return a stored result with its document as it was written, so that its amounts are amounts again."""
    result = stored["result"]
    return stored | {"result": None if result is None else FilesDeliveryOut.model_validate(result)}


@router.get("/{order_id}/tiles/{tile}/patches/{patch}.tif", name="patch_file")
def patch_file(
    request: Request,
    order_id: UUID,
    tile: TilePath,
    patch: PatchPath,
    visitor: VisitorDep,
    database: DatabaseDep,
    blobs: BlobsDep,
) -> Response:
    """Send the newest file of a patch as it was delivered."""
    answer = download_patch(order_id, tile, patch, visitor, database, blobs)
    note_export(request, visitor, request.state.notes, "tiff")
    answer.headers["Content-Disposition"] = f'attachment; filename="tile-{tile}-patch-{patch}.tif"'
    return answer
