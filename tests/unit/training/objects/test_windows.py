"""Windows over scenes of one bright pixel per object: what a window shows is what it counts."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from training.data.boxes import Centres
from training.data.sensor import Pixels
from training.objects.windows import FINER, SceneWindows

PATCH_PX = 4
CPU = torch.device("cpu")


def bright(centres: Centres, side: int, scale: float) -> Pixels:
    pixels = np.zeros((3, side, side), np.uint8)
    column, row = np.floor(centres * scale).astype(int).T
    pixels[:, row, column] = 255
    return pixels


def scenes() -> Sequence[Centres]:
    random = np.random.default_rng(0)
    return [random.uniform(0, 8, (12, 2)) for _ in range(3)]  # in patches, over 8 x 8 of them


def windows(*, simulated: bool) -> SceneWindows:
    centres = scenes()
    return SceneWindows(
        fine=[bright(one, 8 * PATCH_PX * FINER, PATCH_PX * FINER) for one in centres],
        lr=None if simulated else [bright(one, 8 * PATCH_PX, PATCH_PX) for one in centres],
        centres=centres,
        patch_px=PATCH_PX,
        grid=(7, 7),
    )


def test_windows_of_own_lr_count_the_objects_that_they_show() -> None:
    data, random = windows(simulated=False), np.random.default_rng(0)
    for _ in range(50):
        pixels, counts = data.draw(int(random.integers(3)), random)
        shown = (pixels[0] > 0).reshape(7, PATCH_PX, 7, PATCH_PX).any(3).any(1)
        assert torch.equal(counts > 0, shown)


def test_simulated_windows_differ_each_time_and_keep_their_size() -> None:
    data, random = windows(simulated=True), np.random.default_rng(0)
    first, _ = data.draw(0, random)
    second, _ = data.draw(0, random)
    assert first.shape == second.shape == (3, 7 * PATCH_PX, 7 * PATCH_PX)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("simulated", [True, False])
def test_batches_turn_counts_with_the_pixels_and_repeat_with_the_seed(simulated: bool) -> None:
    data = windows(simulated=simulated)
    order = [torch.tensor([0, 1]), torch.tensor([2])]
    torch.manual_seed(3)
    first = list(data.batches(order, CPU, 0.0, 1.0))
    torch.manual_seed(3)
    again = list(data.batches(order, CPU, 0.0, 1.0))
    assert [batch.progress for batch in first] == [0.0, 0.5]
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.lr, two.lr)
        assert torch.equal(one.counts, two.counts)
        if not simulated:
            shown = (one.lr[:, 0] > 0).reshape(-1, 7, PATCH_PX, 7, PATCH_PX).any(4).any(2)
            assert torch.equal(one.counts > 0, shown)
