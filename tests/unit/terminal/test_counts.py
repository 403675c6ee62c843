"""Objects and curves on a terminal."""

from typing import Any, get_args

import pytest
from typer.main import get_group

from models.tasks import Task
from service.cli import app
from service.cli.plan_options import TaskChoice
from service.terminal.counts import bundle_row, curve_view, object_rows, prior_rows, round_rows, total_lines
from service.web.licences import licence_note
from tests.support.bundles import usd
from tests.support.terminal import shown

LICENCE = "CC BY-NC-SA 4.0"


def counted(expected: float, low: int, high: int) -> dict[str, Any]:
    return {"expected": expected, "low": low, "high": high}


def objects(**overrides: Any) -> dict[str, Any]:
    return {
        "name": "oil tanks", "scene": counted(140.5, 118, 165), "in_bought": 131.2, "in_reused": 0.0,
        "share": 0.934,
    } | overrides  # fmt: skip


def plan(**overrides: Any) -> dict[str, Any]:
    return {
        "task": "find", "utility_unit": "expected objects", "objects": objects(), "licence": LICENCE,
        "provenance": {"bundle": {"name": "tanks", "version": "1"}},
    } | overrides  # fmt: skip


def point(**overrides: Any) -> dict[str, Any]:
    return {
        "threshold": 0.5, "patches": 12, "cost": usd("4.00"), "saving": usd("60.00"),
        "expected_accuracy": 0.87, "interval": [0.81, 0.92], "measured_found": 0.96,
        "measured_count_error": 1.4,
        "here": {"objects": 131.2, "objects_share": 0.934, "correct_labels": 10.9, "correct_share": 0.908},
        "chosen": True,
    } | overrides  # fmt: skip


def test_plan_rows_state_the_objects_in_bought_patches_and_in_the_scene() -> None:
    assert object_rows(plan()) == [
        ("Task", "find, utility: expected objects"),
        (
            "Objects",
            "131.2 of 140.5 expected oil tanks (93%) lie in bought patches. The scene holds 118 to 165 with "
            "a probability of 95%.",
        ),
    ]
    assert "patches, 4.0 in reused ones." in object_rows(plan(objects=objects(in_reused=4.0)))[1][1]
    assert object_rows(plan(objects=None)) == []


def test_round_rows_state_what_was_read_what_remains_and_the_verdict() -> None:
    gain = {"objects": 3.2, "correct_labels": 1.0, "cost": usd("12.00")}
    found = {
        "order": "o-1", "number": 2, "read": {"patches": 16, "objects": 24.0, "expected": 20.1},
        "remainder": {"patches": 1, "objects": counted(5.0, 2, 9), "expected_before": 4.0},
        "gain": gain, "gain_before": gain, "separate": usd("3.00"), "verdict": "Worth another order: ...",
    }  # fmt: skip
    assert round_rows(plan(round=found)) == [
        ("Round", "2, after order o-1"),
        ("Read", "16 patches: 24.0 oil tanks, 20.1 expected"),
        ("Remaining", "1 patch: 5.0 (2 to 9) oil tanks expected now, 4.0 before"),
        ("This round", "3.2 oil tanks and 1.0 correct labels expected, for 12.00 USD"),
        ("Order before", "3.2 oil tanks and 1.0 correct labels expected, for 12.00 USD"),
        ("Two orders", "cost 3.00 USD more than one order of these patches"),
        ("Verdict", "Worth another order: ..."),
    ]
    more = {"objects": 2.5, "correct_labels": 0.4, "cost": usd("11.00")}
    assert round_rows(plan(round=found | {"same_money": more}))[5] == (
        "Same money",
        "2.5 oil tanks and 0.4 correct labels expected, for 11.00 USD, if the order before had bought more",
    )
    assert round_rows(plan()) == []


def test_prior_row_states_what_was_read_in_owned_patches() -> None:
    prior = {"patches": 12, "objects": 9.5, "expected": 14.0, "orders": ["o-1", "o-2"]}
    assert prior_rows(plan(prior=prior)) == [
        ("Prior", "12 patches: 9.5 oil tanks, 14.0 expected, in patches of 2 orders")
    ]
    assert prior_rows(plan()) == []


def test_bundle_row_states_a_licence_that_forbids_sale() -> None:
    assert bundle_row(plan()) == ("Bundle", "tanks version 1 (not for sale: CC BY-NC-SA 4.0)")
    assert bundle_row(plan(licence=None)) == ("Bundle", "tanks version 1")


@pytest.mark.parametrize(
    ("licence", "note"),
    [
        (LICENCE, f"not for sale: {LICENCE}"),
        ("for non-commercial use", "not for sale: for non-commercial use"),
        ("CC BY 4.0", "CC BY 4.0"),
        ("NCSA", "NCSA"),
        (None, ""),
        ("", ""),
    ],
)
def test_licence_note_warns_of_licences_that_forbid_sale(licence: str | None, note: str) -> None:
    assert licence_note(licence) == note


def test_total_lines_state_the_objects_in_all_and_the_licence() -> None:
    summary = {
        "objects": {
            "name": "oil tanks", "level": 0.95, "total": counted(128.4, 121, 137),
            "lr_total": counted(140.5, 118, 165), "read": 127.0,
        }
    }  # fmt: skip
    assert [line.plain for line in total_lines({"summary": summary, "licence": LICENCE})] == [
        "Total oil tanks: 128.4 (121 to 137); from low resolution only: 140.5 (118 to 165). "
        "Brackets hold 95% intervals.",
        "Licence of the labels: not for sale: CC BY-NC-SA 4.0.",
    ]
    assert total_lines({"summary": {}}) == []


def test_curve_view_shows_measured_figures_beside_those_expected_here() -> None:
    curve = {"points": [point(), point(threshold=0.0, chosen=False, interval=None)], "source": "Measured."}
    lines = shown(curve_view(curve, plan()), 160)
    assert lines[0].split("  ")[0] == ""
    assert "Oil tanks here" in lines[0]
    assert lines[1].split() == [
        "*", "0.5", "12", "4.00", "USD", "60.00", "USD", "87.0%", "(81.0%", "to", "92.0%)", "96.0%",
        "131.2", "(93%)", "10.9", "(91%)",
    ]  # fmt: skip
    assert lines[2].split()[:2] == ["0", "12"]
    assert lines[-1] == "Measured."


def test_curve_view_of_a_bundle_that_classifies_has_no_objects() -> None:
    curve = {"points": [point(here=None, measured_found=None)], "source": "Measured."}
    assert "here" not in "\n".join(shown(curve_view(curve, plan(objects=None)), 160))
    assert shown(curve_view({"points": [], "source": "Released without."}, plan())) == ["Released without."]


def test_commands_have_an_option_for_every_task() -> None:
    assert {choice.value for choice in TaskChoice} == set(get_args(Task))
    for command in ("plan", "replan"):
        options = {option for one in get_group(app).commands[command].params for option in one.opts}
        assert "--task" in options
