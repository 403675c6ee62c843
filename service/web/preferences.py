"""The header `Prefer` (RFC 7240): whether a client wants its answer before the work is done."""

from typing import Annotated

from fastapi import Depends, Header

RESPOND_ASYNC = "respond-async"


def wants_job(
    prefer: Annotated[
        list[str] | None,
        Header(
            description="`respond-async`: answer 202 at once with a job, whose `Location` shows its progress."
        ),
    ] = None,
) -> bool:
    """Return whether the client prefers a job to waiting for the result."""
    wanted = [part.partition(";")[0].strip().lower() for line in prefer or () for part in line.split(",")]
    return RESPOND_ASYNC in wanted


AsyncDep = Annotated[bool, Depends(wants_job)]
