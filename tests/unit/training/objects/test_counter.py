"""The counter on toys: bright discs on a dark ground."""

import numpy as np
import pytest
import torch

from models.counts import Reading
from models.patch_counter import CELL, PatchCounter, PatchCounterConfig
from models.preprocess import normalise
from training.data.boxes import Centres
from training.data.sensor import Pixels
from training.objects.calibration import calibrate, likeliest_variance
from training.objects.counter import density_loss, spread_out
from training.objects.hr_windows import HrWindows
from training.objects.windows import MEAN, STD
from training.run.initial_weights import copy_matching, imagenet_network
from training.run.loop import learning_rate

PATCH_PX = 32


def scene(centres: Centres, side: int) -> Pixels:
    """Return a noisy scene (3, side, side) with a disc of 8 px around each centre."""
    pixels = np.random.default_rng(0).integers(20, 60, (3, side, side)).astype(np.uint8)
    row, column = np.mgrid[:side, :side] + 0.5
    for x, y in centres:
        pixels[:, (column - x) ** 2 + (row - y) ** 2 < 16] = 220
    return pixels


@pytest.fixture(scope="module")
def trained() -> PatchCounter:
    torch.manual_seed(0)
    grid = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2) * 40.0 + 50
    centres = grid + np.random.default_rng(1).uniform(-10, 10, grid.shape)
    data = HrWindows(pixels=[scene(centres, 240)], centres=[centres], patch_px=PATCH_PX, count=16)
    network = PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=PATCH_PX))
    copy_matching(imagenet_network("efficientnet_lite0"), network.backbone)
    optimiser = torch.optim.AdamW(network.parameters())
    for batch in data.batches([data.indices] * 30, torch.device("cpu"), 0, 1):
        optimiser.param_groups[0]["lr"] = learning_rate(batch.progress, 3e-3)
        loss = density_loss(network.densities(batch.hr), batch.cells)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval()


@torch.inference_mode()
def read(network: PatchCounter, pixels: Pixels) -> Reading:
    patches = torch.from_numpy(pixels).unfold(1, PATCH_PX, PATCH_PX).unfold(2, PATCH_PX, PATCH_PX)
    found: Reading = network(normalise(patches.permute(1, 2, 0, 3, 4).flatten(0, 1), MEAN, STD))
    return found


def test_trained_counter_reads_nothing_in_empty_patches(trained: PatchCounter) -> None:
    assert read(trained, scene(np.zeros((0, 2)), 128)).mean.max() < 0.1


def test_hr_windows_place_each_object_in_its_cell() -> None:
    side, centres = 200, np.random.default_rng(1).uniform(0, 200, (60, 2))
    pixels = np.zeros((3, side, side), np.uint8)
    column, row = np.floor(centres).astype(int).T
    pixels[:, row, column] = 255
    data = HrWindows(pixels=[pixels], centres=[centres], patch_px=64, count=8)
    random = np.random.default_rng(0)
    for _ in range(50):
        window, cells = data.draw(random)
        assert window.shape == (3, 64, 64)
        shown = (window[0] > 0).reshape(64 // CELL, CELL, 64 // CELL, CELL).any(3).any(1)
        assert torch.equal(cells > 0, shown)


def test_an_object_near_a_border_counts_in_one_of_two_windows() -> None:
    for x in (27.9, 31.9, 32.0, 32.1, 36.0):
        centre = np.array([[x, 16.0]])
        sides = [
            HrWindows(
                pixels=[scene(centre, 64)[:, :32, left : left + 32]],
                centres=[centre - (left, 0)],
                patch_px=32,
                count=1,
            ).draw(np.random.default_rng(0))[1]
            for left in (0, 32)
        ]
        assert sum(float(cells.sum()) for cells in sides) == 1


def test_spread_objects_stay_in_their_patch_and_lie_mostly_in_their_cell() -> None:
    cells = torch.zeros(1, 30, 30)
    cells[0, 0, 0] = cells[0, 10, 29] = 1
    cells[0, 15, 15] = 2
    spread = spread_out(cells)
    assert float(spread.sum()) == pytest.approx(4)
    assert float(spread[0, 13:18, 13:18].sum()) == pytest.approx(2)
    assert float(spread[0, :2, :2].sum()) > 0.5


def test_density_loss_is_least_where_the_density_is_the_count() -> None:
    cells = torch.zeros(1, 9, 9)
    cells[0, 4, 4] = 2
    right = torch.where(cells > 0, 2.0, 1e-4)
    assert density_loss(right, cells) < density_loss(1.5 * right, cells)
    assert density_loss(right, cells) < density_loss(right + 0.01, cells)
    assert density_loss(right, cells) < density_loss(right.roll(1, 2), cells)


def test_calibration_closes_the_gate_to_the_faint_density_of_empty_patches() -> None:
    network = PatchCounter(PatchCounterConfig(backbone="efficientnet_lite0", patch_px=PATCH_PX))
    counts = torch.arange(40) % 2
    densities = torch.zeros(40, 8, 8)
    densities[counts == 0, 2, 2] = 0.32  # not an object
    densities[counts == 1, 2, 2] = 0.9
    calibrate(network, densities, counts)
    assert 0.32 < network.calibration[0] < 0.9
    reading = network.count(densities)
    assert reading.mean[counts == 0].max() == 0
    assert reading.variance[counts == 0].max() < 0.01


def test_likeliest_variance_finds_that_of_the_errors() -> None:
    torch.manual_seed(0)
    mean = torch.rand(20_000) * 20
    true = torch.tensor([0.05, 0.2, 0.01])
    variance = torch.stack([torch.ones_like(mean), mean, mean.square()], 1) @ true
    found = likeliest_variance(mean, mean + variance.sqrt() * torch.randn(20_000))
    again = torch.stack([torch.ones_like(mean), mean, mean.square()], 1) @ found
    assert (again / variance).log().abs().max() < 0.15
