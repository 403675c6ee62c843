"""The minutes that a run's card states."""

import json
from collections.abc import Mapping
from pathlib import Path

from training.product.fit import minutes


def write(out: Path, *lines: Mapping[str, object]) -> None:
    (out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_minutes_count_each_epoch_once_and_leave_out_warnings(tmp_path: Path) -> None:
    epochs = [{"stage": "policy0", "epoch": epoch, "seconds": 60.0} for epoch in (0, 1, 1)]
    write(tmp_path, *epochs, {"stage": "policy0", "epoch": 1, "warning": "It collapsed."})
    assert minutes(tmp_path) == 2


def test_minutes_of_some_stages_leave_out_the_others(tmp_path: Path) -> None:
    write(tmp_path, *({"stage": stage, "epoch": 0, "seconds": 60.0} for stage in ("policy0", "second0")))
    assert minutes(tmp_path, ["policy0"]) == 1


def test_minutes_of_a_folder_without_a_log_are_zero(tmp_path: Path) -> None:
    assert minutes(tmp_path) == 0
