"""The answer 202 to a request that becomes a job."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.access.repository import Caller
from service.errors import LoupeError
from service.jobs.repository import JobRequest, queue_job
from service.jobs.schemas import JobOut, address_of
from service.jobs.uploads import drop_upload, keep_upload
from service.web.idempotency import Answer, KeyedRequest, store_once
from service.web.preferences import RESPOND_ASYNC

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": JobOut,
        "description": "The request has become a job; `Location` shows its progress.",
        "headers": {
            "Location": {"description": "Address of the job.", "schema": {"type": "string"}},
            "Preference-Applied": {
                "description": "`respond-async` if the request asked for a job.",
                "schema": {"type": "string"},
            },
        },
    }
}
"""Entry in the OpenAPI document of an operation that may become a job."""


class TooLongError(Exception):
    """Work that is more than one request may do, so that it becomes a job."""


def answer_now_or_later(
    request: KeyedRequest,
    caller: Caller,
    blobs: Path,
    *,
    now: Callable[[], JSONResponse],
    to_job: Callable[[], JobRequest],
    upload: bytes | None = None,
    later: bool,
) -> JSONResponse:
    """Do the work of a request `now`, or make a job of it: if `later`, and if `now` raises TooLongError.

    Errors: those of `now`, of `to_job` and of `answer_with_job`.
    """
    if not later:
        try:
            return with_address(now())
        except TooLongError:
            pass  # the claim on the key has ended with the attempt
    return answer_with_job(request, caller, to_job(), blobs, upload, preferred=later)


def answer_with_job(
    request: KeyedRequest,
    caller: Caller,
    wanted: JobRequest,
    blobs: Path,
    upload: bytes | None = None,
    *,
    preferred: bool,
) -> JSONResponse:
    """Queue the work of a request and answer 202; under a used Idempotency-Key, answer with the same job.

    The upload is on disk before the job is queued. `preferred`: the client asked for a job.
    Errors: too-many-jobs, storage-failed, and those of `store_once`.
    """
    job_id = uuid4()
    digest = None if upload is None else keep_upload(blobs, job_id, upload)

    def store(session: Session) -> Answer:
        job = queue_job(session, caller, wanted, job_id, digest)
        return Answer(202, JobOut.of(job).to_json())

    try:
        answer = store_once(request, store)
    except LoupeError:  # another error may be a lost answer to a commit, after which the job needs its file
        drop_upload(blobs, job_id)
        raise
    if "Idempotency-Replayed" in answer.headers:
        drop_upload(blobs, job_id)
    if preferred and answer.status_code == HTTPStatus.ACCEPTED:
        answer.headers["Preference-Applied"] = RESPOND_ASYNC
    return with_address(answer)


def with_address(answer: JSONResponse) -> JSONResponse:
    """Add the address of its job to an answer 202, which may be a replay; leave another as it is."""
    if answer.status_code == HTTPStatus.ACCEPTED:
        answer.headers["Location"] = address_of(json.loads(bytes(answer.body))["id"])
    return answer
