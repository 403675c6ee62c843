import runpy
from pathlib import Path

import pytest

BENCHMARK = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "training_throughput.py"))
repaired = BENCHMARK["repaired"]


def test_repaired_applies_every_repair_wherever_it_matches() -> None:
    source = "a.cuda(async=True); b.cuda()"
    assert repaired(source, BENCHMARK["REPAIRS"]["pretrain.py"]) == "a.to(DEVICE); b.to(DEVICE)"


def test_repaired_refuses_another_version() -> None:
    with pytest.raises(ValueError, match="check out commit 35b45e7"):
        repaired("a.cpu()", BENCHMARK["REPAIRS"]["pretrain.py"])
