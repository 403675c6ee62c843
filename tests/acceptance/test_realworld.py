"""Every case of the shared folder against one real server: inputs that people report of other readers."""

from collections.abc import Iterator

import pytest

from tests.support.cases import SCRIPT, case_names, judge_cases
from tests.support.server import ROOT, running_server

NAMES = case_names()

# Cases that are answered otherwise on purpose; docs/inputs.md gives the reason.
OTHERWISE = {"longitude-190": "planned at 170 degrees west, where it lies, instead of refused"}


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Judge the selected cases on a server with the shipped bundle, for whose tiles they are made."""
    selected = {item.name for item in request.session.items}
    chosen = [name for name in NAMES if f"{test_case_is_answered_as_expected.__name__}[{name}]" in selected]
    with running_server(ROOT / "models" / "bundles" / "starter") as server:
        yield judge_cases(server, chosen)


def as_parameter(name: str) -> object:
    reason = OTHERWISE.get(name)
    marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
    return pytest.param(name, id=name, marks=marks)


@pytest.mark.skipif(not NAMES, reason=f"NO CASES: {SCRIPT} does not exist; none of its inputs was tried")
@pytest.mark.parametrize("name", [as_parameter(name) for name in NAMES])
def test_case_is_answered_as_expected(verdicts: dict[str, str], name: str) -> None:
    assert verdicts[name].startswith("pass"), verdicts[name]
