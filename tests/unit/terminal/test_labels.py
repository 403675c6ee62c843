"""The terminal view of true labels."""

from typing import Any

from service.terminal.labels import truth_view
from tests.support.terminal import shown

Json = dict[str, Any]
ORDER = "11111111-2222-4333-8444-555555555555"


def score(**members: Any) -> Json:
    return {
        "tiles": 4, "right": 3, "share": 0.75, "interval": [0.3, 0.954], "lr_right": 1, "by_class": [],
        "outdated": False, "evaluation": None,
    } | members  # fmt: skip


def truth(**members: Any) -> Json:
    return {"order": ORDER, "score": None, "tiles": []} | members


def test_view_shows_classes_and_the_bundles_own_figure_apart() -> None:
    by_class = [score(true_label="forest", tiles=1, right=1, share=1.0, interval=[0.207, 1.0], lr_right=0)]
    evaluation = {"accuracy": 0.964, "patches_per_tile": 4.2023}
    lines = shown(truth_view(truth(tiles=[{}] * 4, score=score(by_class=by_class, evaluation=evaluation))))
    text = " ".join(" ".join(lines).split())
    assert "forest 1 1 100.0% (20.7% to 100.0%) 0" in text
    assert "all 4 3 75.0% (30.0% to 95.4%) 1" in text
    assert "On its own evaluation images the bundle reached 96.4% with 4.2 patches per tile." in text


def test_view_says_what_to_do_next() -> None:
    assert shown(truth_view(truth()), 80)[1].endswith(f": loupe labels give {ORDER} FILE")
    assert f"loupe classify {ORDER}" in shown(truth_view(truth(tiles=[{}])), 80)[-1]
    outdated = shown(truth_view(truth(tiles=[{}], score=score(outdated=True))))
    assert any("Classify the order again" in line for line in outdated)
