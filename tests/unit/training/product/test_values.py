from dataclasses import replace

import pytest
import torch

from models.policy import PolicyConfig, PolicyNetwork
from models.preprocess import mask_image
from tests.support.training import tiny_run
from training.methods.out_of_fold import AnswerTable
from training.product import train_values as train_values_module
from training.product.train_values import train_values, value_loss
from training.run.batches import batch_of


def test_value_loss_is_zero_for_the_model_it_fits_whatever_cannot_be_saved():
    log_saving, reach = torch.tensor([0.6]).log(), torch.tensor([[0.7, 0.2]])
    masks = torch.tensor([[[0, 0], [1, 0], [0, 1], [1, 1]]]).float()
    left = 0.6 * torch.exp(-torch.tensor([[0.0, 0.7, 0.2, 0.9]]))
    assert value_loss(log_saving, reach, masks, left + 0.3).item() == pytest.approx(0.0, abs=1e-12)


def test_value_loss_by_hand():
    masks = torch.tensor([[[0.0], [1.0]]])
    # Predicted 1 and 1/2, centred 1/4 and -1/4; seen 0 and 0: mean square 1/16.
    loss = value_loss(torch.zeros(1), torch.full((1, 1), 2.0).log(), masks, torch.zeros(1, 2))
    assert loss.item() == pytest.approx(1 / 16)


def test_table_mixes_each_answer_with_the_share_it_bought():
    masks = torch.zeros(1, 2, 16).bool()
    masks[0, 1, :4] = True
    table = AnswerTable(
        indices=torch.tensor([5]),
        masks=masks,
        hr=torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]),
        lr=torch.tensor([[0.0, 1.0]]),
        labels=torch.tensor([0]),
    )
    assert table.mixed(1.0).tolist() == [[[0.0, 1.0], [0.25, 0.75]]]
    assert table.mixed(0.5).tolist() == [[[0.0, 1.0], [0.5, 0.5]]]
    assert torch.equal(table.calibrated(0.5).argmax(2), table.mixed(0.5).argmax(2))


def test_values_are_learnt_on_whole_tiles_as_the_ensemble_was_asked(tmp_path, monkeypatch):
    """In a crop a patch would stand beside its worth; a mirrored tile is asked about mirrored choices."""
    lab = tiny_run(tmp_path, augmentation="none", pad=4)
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=4))
    seen = []
    learn = policy.saving_and_reach
    monkeypatch.setattr(policy, "saving_and_reach", lambda lr: seen.append(lr) or learn(lr))
    count = len(lab.splits.learnt)
    table = AnswerTable(
        indices=lab.splits.learnt,
        masks=torch.rand(count, 4, 16) < 0.5,
        hr=torch.rand(count, 4, 3).softmax(2),
        lr=torch.rand(count, 3).softmax(1),
        labels=lab.splits.images.labels[lab.splits.learnt],
    )
    once = replace(lab.recipe.stage("values"), epochs=1)
    train_values(lab.run, "values", policy, table, 1.0, lab.data, once)
    _, whole, _ = batch_of(lab.splits.images, lab.splits.learnt, torch.device("cpu"))
    rows = {tuple(tile.flatten().tolist()) for tile in whole}
    assert {tuple(tile.flatten().tolist()) for tile in torch.cat(seen)} == rows


def test_a_choice_turns_with_its_tile_and_loses_what_its_label_is_short_of(tmp_path, monkeypatch):
    """Each tile shows, in its own pixels, the first choice that is asked about it."""
    lab = tiny_run(tmp_path, augmentation="dihedral")
    count = len(lab.splits.images.labels)
    masks = torch.rand(count, 2, 16) < 0.5
    shown = mask_image(masks[:, 0], 4).expand(-1, 3, -1, -1).mul(255).to(torch.uint8)
    lab = lab.with_splits(images=replace(lab.splits.images, lr=shown))
    right = torch.nn.functional.one_hot(lab.splits.images.labels, 3).float()
    hr = torch.stack((0.7 * right + 0.1, 0.1 * right + 0.3), 1)  # surer with the first choice
    coarse = torch.full((count, 3), 1 / 3)
    table = AnswerTable(
        indices=torch.arange(count), masks=masks, hr=hr, lr=coarse, labels=lab.splits.images.labels
    )
    policy = PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=4))
    seen, asked = [], []
    learn, loss_of = policy.saving_and_reach, train_values_module.value_loss
    monkeypatch.setattr(policy, "saving_and_reach", lambda lr: seen.append(lr) or learn(lr))
    monkeypatch.setattr(
        train_values_module, "value_loss", lambda *given: asked.append(given[2:]) or loss_of(*given)
    )
    config = replace(lab.recipe.stage("values"), epochs=4)
    train_values(lab.run, "values", policy, table, 1.0, lab.data, config)
    tiles, turned = torch.cat(seen), torch.cat([given[0] for given in asked])
    assert torch.equal(tiles[:, :1] > 0, mask_image(turned[:, 0], 4) > 0)
    losses = torch.cat([given[1] for given in asked])
    assert (losses[:, 0] < losses[:, 1]).all()
