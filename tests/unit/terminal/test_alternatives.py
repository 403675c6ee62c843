"""The terminal view of alternatives."""

from typing import Any

from service.terminal.alternatives import alternatives_view
from tests.support.terminal import shown

Json = dict[str, Any]
USD = {"currency": "USD"}


def spending(way: str, **figures: Any) -> Json:
    return {
        "way": way,
        "cost": {"amount": "12.50"} | USD,
        "patches": 3,
        "measured": None,
        "expected": None,
    } | figures


def found(**members: Any) -> Json:
    return {
        "spending": [spending("plan")],
        "price_lists": [],
        "cheapest": None,
        "left_out": [],
        "source": "Bills.",
    } | members


def test_view_tells_measured_from_not_measured() -> None:
    measured = {"patches_per_tile": 4.2, "accuracy": 0.964, "interval": (0.94, 0.98)}
    text = "\n".join(
        shown(
            alternatives_view(
                found(spending=[spending("central", measured=measured), spending("random", patches=2.4)])
            )
        )
    )
    assert "96.4% (94.0% to 98.0%) at 4.2 per tile" in text
    assert "not measured" in text
    assert " 2.4 " in text
    assert "Objects expected" not in text


def test_view_shows_what_is_expected_of_a_scene_that_counts() -> None:
    here = {"objects": 7.25, "objects_share": 0.5, "correct_labels": 5.0, "correct_share": 0.83}
    text = "\n".join(shown(alternatives_view(found(spending=[spending("plan", expected=here)]))))
    assert "7.2 (50%)" in text
    assert "5.0 (83%)" in text


def test_view_marks_the_cheapest_list_and_says_what_is_left_out() -> None:
    bill = {"amount": "6.25"} | USD
    lists = [
        {
            "price_list": "1",
            "name": "half",
            "version": 2,
            "example": False,
            "bought": bill,
            "everything": bill,
            "difference": {"amount": "-6.25"} | USD,
        },
        {
            "price_list": "2",
            "name": "euros",
            "version": 1,
            "example": True,
            "bought": bill,
            "everything": bill,
            "difference": None,
        },
    ]
    left = [{"subject": "the price list coarse version 1", "reason": "Its pixels are too coarse."}]
    lines = shown(
        alternatives_view(
            found(price_lists=lists, cheapest="1", left_out=left, realised={"amount": "80.00"} | USD)
        )
    )
    (half,) = (line for line in lines if "half v2" in line)
    (euros,) = (line for line in lines if "euros v1, an example" in line)
    assert half.rstrip().endswith("-6.25 USD  cheapest")
    assert "cheapest" not in euros
    assert "Not compared: the price list coarse version 1. Its pixels are too coarse." in lines
    assert "Realised saving against buying everything: 80.00 USD." in lines
