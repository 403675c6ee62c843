"""NOTICE and the bundles in the repository."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
BUNDLES = [manifest.parent for manifest in sorted((ROOT / "models" / "bundles").glob("*/manifest.json"))]


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda bundle: bundle.name)
def test_notice_states_the_licence_of_each_bundle(bundle: Path) -> None:
    licence = json.loads((bundle / "manifest.json").read_text()).get("licence") or "Apache-2.0"
    _, found, after = (ROOT / "NOTICE").read_text().partition(f"models/bundles/{bundle.name}\n")
    assert found
    assert f"Weights and card, {licence}" in after.partition("\n\n")[0]
