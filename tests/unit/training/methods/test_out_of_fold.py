"""Answer tables and temperatures, with numbers that can be computed by hand."""

import pytest
import torch

from training.methods.out_of_fold import AnswerTable, fit_temperature


def test_answer_table_mixes_the_streams_by_the_share_bought() -> None:
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


def test_fit_temperature_sharpens_underconfident_and_softens_overconfident_predictions() -> None:
    labels = torch.arange(100) % 10
    right = torch.nn.functional.one_hot(labels, 10).float()
    modest = torch.softmax(right * 1.0, 1)
    assert fit_temperature(modest, labels) < 1
    half_wrong = torch.softmax(right.roll(50, 0).mul((torch.arange(100) < 50).float()[:, None]) * 9, 1)
    assert fit_temperature(half_wrong, (labels + 1) % 10) > 1


@pytest.mark.parametrize(("odds", "temperature"), [(9.0, 1.0), (3.0, 0.5), (81.0, 2.0)])
def test_fit_temperature_matches_the_odds_of_nine_in_ten(odds: float, temperature: float) -> None:
    probabilities = torch.tensor([odds, 1.0]).repeat(10, 1) / (odds + 1)
    labels = (torch.arange(10) == 0).long()
    assert fit_temperature(probabilities, labels) == temperature
