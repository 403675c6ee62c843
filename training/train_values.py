"""Value regression: the policy's first shape, fitted to the table of out-of-fold answers.

For image i and choice k the table holds the loss L_ik = 1 - p(true label), calibrated. The policy's
b and v are fitted so that b exp(-sum_p v_p m_kp) explains how L varies over the choices k of one image.
Centring per image leaves out what no purchase can change. Off-policy, one cached table, no sampling
noise. A linear fit was tried and dropped: blind to diminishing returns, it bought everything or nothing.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.policy import PolicyNetwork
from models.symmetry import SYMMETRIES, dihedral, dihedral_patches
from training.crossfit import Table
from training.data import Images
from training.epochs import Run, batches, learning_rate, run_epochs, set_learning_rate, training_precision
from training.recipe import Stage
from training.train_classifier import batch_of


def value_loss(log_saving: Tensor, reach: Tensor, masks: Tensor, losses: Tensor) -> Tensor:
    """Mean squared error of b exp(-sum_p v_p m_kp), centred per image.

    log_saving (B,), reach (B, 16), masks (B, K, 16), losses (B, K) -> ().
    """
    predicted = torch.exp(log_saving.unsqueeze(1) - torch.einsum("bp,bkp->bk", reach, masks))
    error = (predicted - predicted.mean(1, keepdim=True)) - (losses - losses.mean(1, keepdim=True))
    return error.square().mean()


def train_values(
    run: Run, stage: str, policy: PolicyNetwork, table: Table, exponent: float, images: Images, config: Stage
) -> None:
    """Fit `policy` in place; leaves it in evaluation mode."""
    policy.to(run.device)
    truth = table.labels.view(-1, 1, 1).expand(-1, table.masks.shape[1], 1)
    losses = 1 - table.calibrated(exponent).gather(2, truth)[..., 0]  # (M, K)
    optimiser = torch.optim.AdamW(policy.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    rows = torch.arange(len(table.indices))
    steps = max(1, len(rows) // config.batch)

    def one_epoch(epoch: int) -> Mapping[str, float]:
        policy.train()
        total = 0.0
        for step, chosen in enumerate(batches(rows, config.batch)):
            progress = (epoch * steps + step) / (config.epochs * steps)
            set_learning_rate(optimiser, learning_rate(progress, config.learning_rate))
            _, lr, _ = batch_of(images, table.indices[chosen], run.device)
            k = int(torch.randint(SYMMETRIES, ()))
            masks = dihedral_patches(table.masks[chosen].float(), k).to(run.device)
            with training_precision(run.device):
                log_saving, reach = policy.saving_and_reach(dihedral(lr, k))
            loss = value_loss(log_saving, reach, masks, losses[chosen].to(run.device))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        return {"value_loss": total / len(rows)}

    run_epochs(run, stage, config.epochs, {"policy": policy}, optimiser, one_epoch)
    policy.eval()
