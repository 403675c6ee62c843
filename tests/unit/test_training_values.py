import pytest
import torch

from training.crossfit import Table
from training.train_values import value_loss


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
    table = Table(
        indices=torch.tensor([5]),
        masks=masks,
        hr=torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]),
        lr=torch.tensor([[0.0, 1.0]]),
        labels=torch.tensor([0]),
    )
    assert table.mixed(1.0).tolist() == [[[0.0, 1.0], [0.25, 0.75]]]
    assert table.mixed(0.5).tolist() == [[[0.0, 1.0], [0.5, 0.5]]]
    assert torch.equal(table.calibrated(0.5).argmax(2), table.mixed(0.5).argmax(2))
