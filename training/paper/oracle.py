"""The oracle: greedy choices of patches that know the label, an upper bound for every policy."""

from collections.abc import Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from models.grid import PATCHES
from training.data.images import ImageSource
from training.run.batches import batch_of
from training.run.evaluate import TilePredictor, inference_batches
from training.run.machine import inference_precision


@torch.inference_mode()
def oracle_masks(
    predictor: TilePredictor, images: ImageSource, indices: Tensor, sizes: Sequence[int], device: torch.device
) -> dict[int, Tensor]:
    """Return by size the choices bool (M, 16) that a greedy search with the label makes of images[indices].

    Each step buys the patch that raises the probability of the true label most, the lowest index among
    equals. Larger choices contain the smaller ones. Greedy search comes near the best choice of a size, but
    may miss it.
    """
    found: dict[int, list[Tensor]] = {size: [] for size in sizes}
    for places in tqdm(inference_batches(images, indices, device), desc="oracle", mininterval=5.0):
        hr, lr, labels = batch_of(images, indices[places], device)
        bought = torch.zeros(len(places), PATCHES, dtype=torch.bool, device=device)
        for size in range(1, max(sizes) + 1):
            bought = _one_more(predictor, hr, lr, labels, bought)
            if size in found:  # every size is a step on the way; only some are asked for
                found[size].append(bought.cpu())
    return {size: torch.cat(masks) for size, masks in found.items()}


def _one_more(predictor: TilePredictor, hr: Tensor, lr: Tensor, labels: Tensor, bought: Tensor) -> Tensor:
    # (M, 16): probability of the true label if this patch is bought next; -1 if it is already bought.
    gains = torch.full(bought.shape, -1.0, device=bought.device)
    for patch in range(PATCHES):
        tried = bought.clone()
        tried[:, patch] = True
        with inference_precision(hr.device):
            # (M, N) -> (M,): the true label's probability.
            p = predictor(hr, lr, tried).float().gather(1, labels.unsqueeze(1))[:, 0]
        gains[:, patch] = torch.where(bought[:, patch], -1.0, p)
    more = bought.clone()
    more[torch.arange(len(bought)), gains.argmax(1)] = True  # one patch of every tile
    return more
