"""Labels of a tile, their summary, and delivered patches laid into tiles."""

import numpy as np
import pytest

from models.grid import patch_slices
from service.classification.labels import label_tile, lay_patches, summarise

CLASSES = ("farm", "forest", "harbour", "lake", "meadow", "road")


def test_label_tile_names_the_likeliest_class_of_both_streams() -> None:
    both = np.array([0.1, 0.5, 0.2, 0.05, 0.05, 0.1], np.float32)
    alone = np.array([0.6, 0.4, 0, 0, 0, 0], np.float32)

    assert label_tile(7, both, alone, CLASSES, (2, 3, 1)).to_json() == {
        "tile": 7,
        "label": "forest",
        "confidence": 0.5,
        "probabilities": [
            {"label": "forest", "probability": 0.5},
            {"label": "harbour", "probability": 0.2},
            {"label": "farm", "probability": 0.1},
            {"label": "road", "probability": 0.1},
            {"label": "lake", "probability": 0.05},
        ],
        "lr_label": "farm",
        "lr_confidence": 0.6,
        "patches_used": 2,
        "patches_bought": 3,
        "patches_reused": 1,
    }


def test_summarise_counts_labels_and_changes() -> None:
    rows = [("farm", "farm"), ("lake", "farm"), ("lake", "lake"), ("farm", "lake"), ("forest", "forest")]

    assert summarise({"label": label, "lr_label": lr_label} for label, lr_label in rows) == {
        "tiles": 5,
        "labels": [
            {"label": "farm", "tiles": 2},
            {"label": "lake", "tiles": 2},
            {"label": "forest", "tiles": 1},
        ],
        "changed": 2,
        "changed_share": 0.4,
    }


def test_summarise_of_no_tile_is_empty() -> None:
    assert summarise([]) == {"tiles": 0, "labels": [], "changed": 0, "changed_share": 0.0}


@pytest.mark.parametrize("patch", range(16))
def test_lay_patches_places_each_patch_on_the_grid(patch: int) -> None:
    size = 8
    raw = np.full((3, 2, 2), 200, np.uint8).tobytes()

    pixels, came = lay_patches([4, 9], [(9, patch, raw)], size)

    rows, columns = patch_slices(patch, size)
    assert (pixels[1, :, rows, columns] == 200).all()
    assert int(pixels.sum()) == 200 * 3 * 4
    assert np.argwhere(came).tolist() == [[1, patch]]


def test_lay_patches_refuses_a_patch_of_another_size() -> None:
    with pytest.raises(ValueError, match="reshape"):
        lay_patches([0], [(0, 0, bytes(3 * 3 * 3))], 8)
