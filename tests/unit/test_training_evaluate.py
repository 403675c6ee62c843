"""How many images are answered at once changes memory and time, never an answer."""

import torch
from factories_training import write_data

from training import evaluate
from training.data.layouts import open_splits
from training.evaluate import predict


def test_answers_are_in_order_however_few_at_once(tmp_path, monkeypatch):
    with open_splits("folders", write_data(tmp_path / "data"), 16, 4) as (images, _):
        pass
    indices = torch.randperm(24, generator=torch.Generator().manual_seed(0))[:21]
    selected = torch.rand(21, 16, generator=torch.Generator().manual_seed(1)) < 0.5
    sizes: list[int] = []

    def predictor(hr, lr, bought):
        sizes.append(len(hr))
        return torch.cat([hr.mean((2, 3)), lr.mean((2, 3)), bought.float()], 1)

    together = predict(predictor, images, indices, selected, torch.device("cpu"))
    monkeypatch.setattr(evaluate, "CPU_PIXELS", 16 * 16 * 5)
    apart = predict(predictor, images, indices, selected, torch.device("cpu"))
    assert sizes == [21, 5, 4, 4, 4, 4]
    assert torch.equal(apart, together)
    assert torch.equal(apart[:, 6:], selected.float())
