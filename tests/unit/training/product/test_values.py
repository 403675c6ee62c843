from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import mask_image
from tests.support.training import tiny_run
from training.data.images import Images
from training.methods.out_of_fold import AnswerTable
from training.product import train_values as train_values_module
from training.product.train_values import train_values, value_loss
from training.run.batches import batch_of


def test_value_loss_is_zero_for_its_own_model_plus_a_constant() -> None:
    log_saving, reach = torch.tensor([0.6]).log(), torch.tensor([[0.7, 0.2]])
    masks = torch.tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]).float()
    left = 0.6 * torch.exp(-torch.tensor([[0.0, 0.7, 0.2, 0.9]]))
    assert value_loss(log_saving, reach, masks, left + 0.3).item() == pytest.approx(0.0, abs=1e-12)


def test_value_loss_equals_a_hand_computed_case() -> None:
    masks = torch.tensor([[[0.0], [1.0]]])
    # Predicted 1 and 1/2, centred 1/4 and -1/4; measured 0 and 0: the mean square is 1/16.
    loss = value_loss(torch.zeros(1), torch.full((1, 1), 2.0).log(), masks, torch.zeros(1, 2))
    assert loss.item() == pytest.approx(1 / 16)


def record_tiles(policy: PolicyNetwork, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """Record the LR tiles that a policy learns from."""
    seen: list[Tensor] = []
    learn = policy.saving_and_reach

    def recorded(lr: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(lr)
        return learn(lr)

    monkeypatch.setattr(policy, "saving_and_reach", recorded)
    return seen


def test_train_values_uses_whole_tiles_without_crops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a crop, the values of the table would belong to other patches."""
    tiny = tiny_run(tmp_path, augmentation="none", pad=4)
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=4))
    seen = record_tiles(policy, monkeypatch)
    count = len(tiny.splits.learnt)
    table = AnswerTable(
        indices=tiny.splits.learnt,
        masks=torch.rand(count, 4, 16) < 0.5,
        hr=torch.rand(count, 4, 3).softmax(2),
        lr=torch.rand(count, 3).softmax(1),
        labels=tiny.splits.images.labels[tiny.splits.learnt],
    )
    once = replace(tiny.recipe.stage("values"), epochs=1)
    train_values(tiny.run, "values", policy, table, 1.0, tiny.data, once)
    _, whole, _ = batch_of(tiny.splits.images, tiny.splits.learnt, torch.device("cpu"))
    rows = {tuple(tile.flatten().tolist()) for tile in whole}
    assert {tuple(tile.flatten().tolist()) for tile in torch.cat(seen)} == rows


def test_train_values_turns_choices_with_their_tiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each tile shows the first of its choices in its own pixels."""
    tiny = tiny_run(tmp_path, augmentation="dihedral")
    count = len(tiny.splits.images.labels)
    masks = torch.rand(count, 2, 16) < 0.5
    shown = mask_image(masks[:, 0], 4).expand(-1, 3, -1, -1).mul(255).to(torch.uint8)
    assert isinstance(tiny.splits.images, Images)
    tiny = tiny.with_splits(images=replace(tiny.splits.images, lr=shown))
    right = torch.nn.functional.one_hot(tiny.splits.images.labels, 3).float()
    hr = torch.stack((0.7 * right + 0.1, 0.1 * right + 0.3), 1)  # more confident with the first choice
    coarse = torch.full((count, 3), 1 / 3)
    table = AnswerTable(
        indices=torch.arange(count), masks=masks, hr=hr, lr=coarse, labels=tiny.splits.images.labels
    )
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=4))
    seen = record_tiles(policy, monkeypatch)
    asked: list[tuple[Tensor, Tensor]] = []
    loss_of = train_values_module.value_loss

    def recorded_loss(*given: Tensor) -> Tensor:
        asked.append((given[2], given[3]))
        return loss_of(*given)

    monkeypatch.setattr(train_values_module, "value_loss", recorded_loss)
    config = replace(tiny.recipe.stage("values"), epochs=4)
    train_values(tiny.run, "values", policy, table, 1.0, tiny.data, config)
    tiles, turned = torch.cat(seen), torch.cat([given[0] for given in asked])
    assert torch.equal(tiles[:, :1] > 0, mask_image(turned[:, 0], 4) > 0)
    losses = torch.cat([given[1] for given in asked])
    assert (losses[:, 0] < losses[:, 1]).all()
