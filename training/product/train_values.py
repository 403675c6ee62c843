"""Value regression: the policy is fitted to the ensemble's table of predictions.

For image i and choice k the table holds the loss L_ik = 1 - p(true label), calibrated. The policy's
b and v are fitted so that b exp(-sum_p v_p m_kp) explains how L varies over the choices k of one image.
The regression is off-policy: it reads one cached table and has no sampling noise. A linear fit was tried
and dropped: without diminishing returns it bought everything or nothing.
"""

from dataclasses import replace

import torch
from torch import Tensor

from models.policy import PolicyNetwork
from models.symmetry import dihedral_patches
from training.methods.out_of_fold import AnswerTable
from training.run.batches import Batch, TrainingImages
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.recipe import Stage


def value_loss(log_saving: Tensor, reach: Tensor, masks: Tensor, losses: Tensor) -> Tensor:
    """Return the mean squared error of b exp(-sum_p v_p m_kp), centred per image.

    log_saving (B,), reach (B, 16), masks (B, K, 16), losses (B, K) -> ().
    """
    # b exp(-V) = exp(log b - V), with V (B, K): the total reach that each choice buys.
    predicted = torch.exp(log_saving.unsqueeze(1) - torch.einsum("bp,bkp->bk", reach, masks))
    # Centring over the K choices removes the part of an image's loss that no purchase changes.
    error = (predicted - predicted.mean(1, keepdim=True)) - (losses - losses.mean(1, keepdim=True))
    return error.square().mean()


def train_values(
    run: Run,
    stage: str,
    policy: PolicyNetwork,
    table: AnswerTable,
    exponent: float,
    data: TrainingImages,
    config: Stage,
) -> None:
    """Fit `policy` in place on the table's images, and leave it in evaluation mode."""
    # (M,) -> (M, K, 1): the true label of each image, for each of its K choices.
    truth = table.labels.view(-1, 1, 1).expand(-1, table.masks.shape[1], 1)
    losses = 1 - table.calibrated(exponent).gather(2, truth)[..., 0]  # (M, K)
    # Inverse of table.indices: batches name images, the table has rows.
    row_of = torch.full((int(table.indices.max()) + 1,), -1)
    row_of[table.indices] = torch.arange(len(table.indices))

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        rows = row_of[batch.chosen]
        # The table's choices are of the tile as stored; the batch shows it turned.
        masks = dihedral_patches(table.masks[rows].float(), batch.symmetry)
        log_saving, reach = policy.saving_and_reach(batch.lr)
        asked, left = (part.to(batch.lr.device, non_blocking=True) for part in (masks, losses[rows]))
        loss = value_loss(log_saving, reach, asked, left)
        return loss, {"value_loss": loss}

    # The table's answers are for whole tiles: in a crop, a patch's worth would lie beside the patch.
    whole = replace(data, indices=table.indices, crop=None)
    train_stage(run, stage, {"policy": policy}, whole, config, step)
