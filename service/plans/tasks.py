"""The task of a plan, its purpose, and the unit of a patch's utility."""

from models.manifest import Manifest
from models.tasks import Task
from service.errors import InvalidInputError

TASKS = (
    "`label`: correct labels of tiles; `count`: correct counts of objects in tiles; `find`: objects in "
    "bought patches"
)
CLASSIFIED = "score from 0 to 1"
"""Unit of the utilities of a bundle that classifies."""
UNITS: dict[Task, str] = {
    "label": "share of the probability of correct labels that its purchase adds",
    "count": "variance of the count that the patch removes",
    "find": "expected objects",
}
"""Unit of the utilities of a bundle that counts, by task."""


class TaskUnknownError(InvalidInputError):
    """The request names a task that the plan's bundle does not offer."""

    code = "task-unknown"
    title = "The bundle has no such task"


def task_in(manifest: Manifest, wanted: Task | None) -> Task:
    """Return the task to plan for, the bundle's default if none is wanted. Error: task-unknown."""
    task = manifest.default_task if wanted is None else wanted
    if task not in manifest.tasks:
        raise TaskUnknownError(
            f"The task {task} was requested, but the bundle {manifest.name} {manifest.version} offers "
            f"{', '.join(manifest.tasks)}. Choose one of them, or another bundle: GET /v1/bundles lists all "
            "with their tasks.",
            task=task,
            offered=list(manifest.tasks),
        )
    return task
