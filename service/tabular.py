"""Lists as files: which form a request asks for."""

from typing import Annotated, Literal

from fastapi import Depends, Header, Query

Form = Literal["json", "csv"]


def wanted_form(
    form: Annotated[Form | None, Query(alias="format", description="or by the header Accept")] = None,
    accept: Annotated[str, Header()] = "*/*",
) -> Form:
    """Read what `?format=` says, else the header Accept; JSON when neither says anything."""
    if form is not None:
        return form
    return "csv" if accept.startswith("text/csv") else "json"


FormDep = Annotated[Form, Depends(wanted_form)]
