import pytest

from training.product.card import _verdict


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.01, 0.05, "beats"),
        (-0.02, 0.01, "cannot be told apart from"),
        (0.0, 0.05, "cannot be told apart from"),
        (-0.05, -0.01, "loses to"),
    ],
)
def test_card_claims_only_what_the_interval_allows(low: float, high: float, words: str) -> None:
    test = {"baselines": {"fixed_h": {"gain": {"low": low, "high": high}}}}
    assert _verdict(test) == f"- The policy {words} Fixed-H.\n\n"
