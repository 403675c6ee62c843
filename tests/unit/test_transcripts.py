"""Shown outputs: what may differ from them, and ids of earlier outputs in later commands."""

from tests.support.transcripts import Replay, matches

OLD, NEW = "0e4f5bd7-0f7e-4d4a-8b8a-0123456789ab", "ffffffff-0f7e-4d4a-8b8a-0123456789ab"
PAGE = f"""1. Plan:

    ```console
    $ loupe plan
    Plan {OLD} of 2026-11-30 09:10:31
    $ loupe order {OLD}
    held: 1.00 USD
    ```
"""


def test_output_matches_with_other_ids_and_times_and_with_lines_left_out() -> None:
    assert matches([f"a {OLD}", "at 2026-11-30 09:10:31"], [f"a {NEW}", "at 2027-01-02 03:04:05"])
    assert matches(["first", "...", "last"], ["first", "between", "last"])
    assert matches(["first", "...", "last"], ["first", "last"])


def test_output_with_another_figure_or_line_does_not_match() -> None:
    assert not matches(["0.18 USD"], ["0.19 USD"])
    assert not matches(["first"], ["first", "second"])
    assert not matches(["first", "...", "last"], ["first", "between"])


def test_replay_keeps_a_page_that_is_right_and_uses_the_ids_of_now() -> None:
    given: list[str] = []

    def run(command: str) -> list[str]:
        given.append(command)
        return [f"Plan {NEW} of 2027-01-02 03:04:05"] if command == "loupe plan" else ["held: 1.00 USD"]

    assert Replay(run).page(PAGE) == PAGE
    assert given == ["loupe plan", f"loupe order {NEW}"]


def test_replay_writes_an_output_that_differs() -> None:
    changed = Replay(lambda _: [f"Plan {NEW} of 2027-01-02 03:04:05", "more"]).page(PAGE)

    assert f"    Plan {OLD} of 2027-01-02 03:04:05\n    more\n    $ loupe order {OLD}" in changed
