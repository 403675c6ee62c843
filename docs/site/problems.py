"""The reference of the problem types, made from the error classes."""

from docs.site.markdown import prose
from docs.site.operations import document
from service.web.problem_types import ProblemType, known_types

INTRODUCTION = """# Problem types

An error is answered with a problem document (RFC 9457), whose `type` ends with one of these codes. A running
server has the same at `/problems`."""


def problems_page() -> str:
    """Return the page with a section for each kind of error, in alphabetical order of the codes."""
    document()  # the classes of an error are known once the application has loaded them
    return "\n\n".join([INTRODUCTION, *(_section(one) for one in known_types().values())]) + "\n"


def _section(problem: ProblemType) -> str:
    statuses = ", ".join(str(status) for status in problem.statuses)
    meanings = "\n".join(f"- {prose(meaning)}" for meaning in problem.meanings)
    parts = [f"## {problem.code}", f"{statuses}: {prose(problem.title)}.", meanings, prose(problem.remedy)]
    return "\n\n".join(part for part in parts if part)
