"""A plan's documents without what two runs and two wordings may differ in: ids, times and sentences."""

import re

Json = object
WORDING = {
    "detail", "title", "why", "reason", "reasons", "explanation", "explanations", "basis", "baseline",
    "description", "name_of_choice", "note", "source",
}  # fmt: skip
"""Members that hold sentences."""
OF_THE_RUN = {"code", "request_id", "instance", "price_list_id", "captured_at"}
"""Members that name the running version, the request or a row."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d\d:\d\d)")


def without_wording(document: Json) -> Json:
    """Replace ids and times in every string by a placeholder, and leave out members that hold sentences."""
    if isinstance(document, dict):
        kept = {key: value for key, value in document.items() if key not in WORDING | OF_THE_RUN}
        return {key: without_wording(value) for key, value in kept.items()}
    if isinstance(document, list):
        return [without_wording(item) for item in document]
    if isinstance(document, str):
        return TIME.sub("TIME", UUID.sub("ID", document))
    return document
