"""Cross-fitting: what a patch is worth is asked of classifiers that never saw the image.

On 1,680 images a classifier knows its training set by heart; there, nothing is worth buying, and a
policy trained on its rewards learns to buy nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.two_stream import TwoStreamClassifier, calibrate, fuse
from training.checkpoints import load_tensors, save_tensors
from training.data import Images
from training.epochs import Run, inference_precision, seed_everything
from training.masks import asking_masks
from training.train_classifier import batch_of

EVALUATION_BATCH = 70


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """Temperature with the smallest negative log-likelihood of probabilities (M, N); the argmax stays."""
    grid = [round(0.3 + 0.05 * step, 2) for step in range(55)]
    logs = probabilities.clamp_min(1e-12).log()
    return min(grid, key=lambda t: float(torch.nn.functional.cross_entropy(logs / t, labels)))


@dataclass(frozen=True)
class Jury:
    """One classifier per fold; image i is judged by classifiers[fold[i]], which did not train on it."""

    classifiers: list[TwoStreamClassifier]
    fold: Tensor
    """int64 (N,)"""

    def true_label_probability(
        self,
        hr: Tensor,
        lr: Tensor,
        selected: Tensor,
        labels: Tensor,
        chosen: Tensor,
        *,
        hr_only: bool = False,
    ) -> Tensor:
        """p(y | bought patches) of eq. 7, or of the HR stream alone (Pt, Ft-1): (B,), no gradient."""
        result = torch.zeros(len(chosen), device=hr.device)
        folds = self.fold[chosen].to(hr.device)
        for number, classifier in enumerate(self.classifiers):
            mine = (folds == number).nonzero()[:, 0]
            if len(mine) == 0:
                continue
            with torch.no_grad(), inference_precision(hr.device):
                p = _probabilities(classifier, hr[mine], lr[mine], selected[mine], hr_only=hr_only)
            result[mine] = p.gather(1, labels[mine].unsqueeze(1))[:, 0]
        return result


def _probabilities(
    classifier: TwoStreamClassifier, hr: Tensor, lr: Tensor, selected: Tensor, *, hr_only: bool
) -> Tensor:
    if hr_only:
        return torch.softmax(classifier.hr_logits(hr, lr, selected).float(), dim=1)
    return classifier.mixture(hr, lr, selected)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Out-of-fold answers for many choices of patches of many images, asked once."""

    indices: Tensor
    """(M,) which images"""
    masks: Tensor
    """bool (M, K, 16)"""
    hr: Tensor
    """(M, K, N) probabilities of the HR stream"""
    lr: Tensor
    """(M, N) probabilities of the LR stream"""
    labels: Tensor
    """(M,)"""

    def mixed(self, exponent: float) -> Tensor:
        """Probabilities (M, K, N) fused with the given exponent."""
        count, masks, classes = self.hr.shape
        lr = self.lr.unsqueeze(1).expand(-1, masks, -1).reshape(-1, classes)
        bought = self.masks.sum(2).reshape(-1)
        return fuse(self.hr.reshape(-1, classes), lr, bought, exponent).reshape(count, masks, classes)

    def calibrated(self, exponent: float) -> Tensor:
        """The same at the temperature that makes them likeliest: label smoothing left them too modest."""
        mixed = self.mixed(exponent)
        flat = mixed.flatten(0, 1)
        truth = self.labels.repeat_interleave(mixed.shape[1])
        return calibrate(flat, fit_temperature(flat, truth)).reshape(mixed.shape)


def ask(run: Run, jury: Jury, images: Images, indices: Tensor, masks: int) -> Table:
    """Build the table, or read it back in a resumed run."""
    path = run.out / "table.safetensors"
    if not (run.resume and path.exists()):
        seed_everything(run.seed, "table", 0)
        _ask_and_save(path, run.device, jury, images, indices, masks)
    tensors, _ = load_tensors(path)
    return Table(**tensors)


def _ask_and_save(
    path: Path, device: torch.device, jury: Jury, images: Images, indices: Tensor, masks: int
) -> None:
    chosen_masks = asking_masks(len(indices), masks)
    classes = len(images.classes)
    hr_answers = torch.zeros(len(indices), masks, classes)
    lr_answers = torch.zeros(len(indices), classes)
    folds = jury.fold[indices]
    for number, classifier in enumerate(jury.classifiers):
        mine = (folds == number).nonzero()[:, 0]
        for rows in tqdm(torch.split(mine, EVALUATION_BATCH), desc=f"table, fold {number}"):
            hr, lr, _ = batch_of(images, indices[rows], device)
            with torch.inference_mode(), inference_precision(device):
                lr_answers[rows] = torch.softmax(classifier.lr_logits(lr).float(), 1).cpu()
                for k in range(masks):
                    logits = classifier.hr_logits(hr, lr, chosen_masks[rows, k].to(device))
                    hr_answers[rows, k] = torch.softmax(logits.float(), 1).cpu()
    answers = {"indices": indices, "masks": chosen_masks, "hr": hr_answers, "lr": lr_answers}
    save_tensors(path, answers | {"labels": images.labels[indices]}, {"kind": "table"})


def frozen(network: nn.Module) -> nn.Module:
    """The network in evaluation mode, without gradients."""
    return network.eval().requires_grad_(False)
