"""The counter on toys: bright discs on a dark ground."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.patch_counter import CELL, CellMaps, PatchCounter, PatchCounterConfig
from training.data.boxes import Boxes
from training.data.sensor import Pixels
from training.objects.calibration import calibrate
from training.objects.counter import cells_loss, density_loss, inside_loss
from training.objects.hr_windows import HrWindows, cells_of

PATCH_PX = 32


def scene(boxes: Boxes, side: int) -> Pixels:
    """Return a noisy scene (3, side, side) with a bright disc in each box."""
    pixels = np.random.default_rng(0).integers(20, 60, (3, side, side)).astype(np.uint8)
    row, column = np.mgrid[:side, :side] + 0.5
    for x, y, width, height in boxes:
        pixels[:, (2 * (column - x) / width) ** 2 + (2 * (row - y) / height) ** 2 < 1] = 220
    return pixels


def boxes_of(*boxes: tuple[float, float, float, float]) -> Boxes:
    return np.array(boxes, np.float64).reshape(-1, 4)


def test_steps_on_a_batch_lower_both_losses() -> None:
    torch.manual_seed(0)
    boxes = boxes_of((20, 20, 12, 12), (40, 30, 20, 16))
    data = HrWindows(pixels=[scene(boxes, 64)], boxes=[boxes], patch_px=PATCH_PX, count=4)
    (batch,) = data.batches([data.indices], torch.device("cpu"), 0, 1)
    assert batch.density.sum() > 1
    network = PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=PATCH_PX))
    network.backbone.requires_grad_(False)
    optimiser = torch.optim.AdamW([*network.join.parameters(), *network.maps.parameters()], lr=1e-2)
    seen = []
    for _ in range(4):
        loss, parts = cells_loss(network.cells(batch.hr), batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        seen.append([float(parts[name].detach()) for name in ("density_loss", "inside_loss")])
    assert seen[-1][0] < 0.9 * seen[0][0]
    assert seen[-1][1] < 0.9 * seen[0][1]


def test_hr_windows_show_the_objects_whose_insides_they_mark() -> None:
    random = np.random.default_rng(1)
    boxes = np.hstack([random.uniform(0, 400, (40, 2)), random.uniform(16, 60, (40, 2))])
    pixels = scene(boxes, 400)
    data = HrWindows(pixels=[pixels], boxes=[boxes], patch_px=64, count=8)
    for _ in range(30):
        window, cells = data.draw(random)
        assert (window.shape, cells.shape) == ((3, 64, 64), (2, 16, 16))
        bright = F.avg_pool2d((window[:1].float() > 140).float(), CELL)[0]
        assert float((bright > 0.5).eq(cells[1] > 0).float().mean()) > 0.95


def test_hr_windows_choose_a_rare_size_more_often_than_its_share() -> None:
    boxes = boxes_of(*[(50.0, 50.0, 10.0, 10.0)] * 99, (50.0, 50.0, 70.0, 40.0))
    (chances,) = HrWindows(pixels=[scene(boxes_of(), 99)], boxes=[boxes], patch_px=32, count=1).chances
    assert chances.sum() == pytest.approx(1)
    assert chances[99] == pytest.approx(99**0.5 * chances[0])


def test_hr_windows_of_a_scene_without_objects_are_empty() -> None:
    data = HrWindows(pixels=[scene(boxes_of(), 99)], boxes=[boxes_of()], patch_px=32, count=1)
    assert data.draw(np.random.default_rng(0))[1].abs().max() == 0


def test_an_object_near_a_border_counts_in_one_of_two_patches_and_shows_in_both() -> None:
    for x in (27.9, 31.9, 32.0, 32.1, 36.0):
        first, second = (cells_of(boxes_of((x - left, 16, 24, 24)), 32) for left in (0, 32))
        sums = [float(first[0].sum()), float(second[0].sum())]
        assert sorted(sums) == pytest.approx([0, 1])
        assert first[1].any()
        assert second[1].any()


def test_an_object_larger_than_a_patch_counts_at_its_centre_and_covers_the_patch() -> None:
    density, inside = cells_of(boxes_of((16, 16, 90, 90)), 32)
    assert inside.all()
    assert float(density.sum()) == pytest.approx(1)
    assert density[3:5, 3:5].min() == density.max()
    density, inside = cells_of(boxes_of((-10, 16, 90, 90)), 32)
    assert inside[4, 0] == 1
    assert density.sum() == 0


def test_an_object_without_a_size_fills_the_cells_around_its_centre() -> None:
    density, inside = cells_of(boxes_of((14, 18, 0, 0)), 32)
    row, column = np.nonzero(inside)
    assert set(zip(row.tolist(), column.tolist(), strict=True)) == {
        *[(4, 3), (3, 3), (5, 3), (4, 2), (4, 4)],
        *[(3, 2), (3, 4), (5, 2), (5, 4)],
    }
    assert float(density[3:6, 2:5].sum()) > 0.7
    assert density.argmax() == 4 * 8 + 3


def test_density_loss_is_least_where_the_density_is_the_count() -> None:
    cells = torch.zeros(1, 9, 9)
    cells[0, 4, 4] = 2
    right = torch.where(cells > 0, 2.0, 1e-4)
    assert density_loss(right, cells) < density_loss(1.5 * right, cells)
    assert density_loss(right, cells) < density_loss(right + 0.01, cells)
    assert density_loss(right, cells) < density_loss(right.roll(1, 2), cells)


def test_inside_loss_weighs_sure_cells_least() -> None:
    inside = torch.zeros(1, 9, 9)
    inside[0, 3:6, 3:6] = 1
    right = 12 * inside - 6

    def with_errors(logit: float) -> Tensor:
        wrong = right.clone()
        wrong[0, 0] = logit
        return inside_loss(wrong, inside)

    assert inside_loss(right, inside) < 1e-4
    assert with_errors(-1) < 0.1 * with_errors(1)


def test_calibration_closes_the_gate_to_empty_patches() -> None:
    network = PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=PATCH_PX))
    counts = torch.arange(40) % 2
    density, inside = torch.zeros(40, 8, 8), torch.full((40, 8, 8), 0.01)
    density[:, 2, 2] = 0.9
    inside[counts == 0, 2, 2] = 0.32  # not an object
    inside[counts == 1, 2, 2] = 0.9
    cells = CellMaps(density=density, inside=inside.logit())
    calibrate(network, cells, counts)
    assert 0.32 < network.gate < 0.9
    assert network.count(cells)[counts == 0].max() == 0
