"""Out-of-fold ensemble: classifiers that say what patches are worth on images they did not train on.

On 1,680 images a classifier knows its training set by heart. On those images nothing is worth buying, and a
policy that is rewarded by it learns to buy nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.preprocess import Fill
from models.two_stream import calibrate, fuse
from training.data.images import ImageSource
from training.methods.masks import query_masks
from training.run import processes
from training.run.batches import Batch, batch_of
from training.run.checkpoints import load_tensors, save_tensors
from training.run.evaluate import inference_batches
from training.run.folder import Run
from training.run.machine import inference_precision
from training.run.seeds import seed_epoch

MOST_QUERIED = 100_000
"""Images in a table at most: 24 answers over 1,000 classes for each of ImageNet's would be 121 GB."""


class Classifier(Protocol):
    """The source of rewards: a models.two_stream.TwoStreamClassifier, or a BagNet."""

    hr: nn.Module
    """The network that Ft-1 and Ft-2 train."""
    fill: Fill
    fusion_exponent: float

    def hr_logits(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Return logits (B, N) from the bought patches."""

    def mixture(self, hr: Tensor, lr: Tensor, selected: Tensor, coarse: Tensor | None, /) -> Tensor:
        """Return probabilities (B, N) of both streams together."""

    def coarse(self, lr: Tensor) -> Tensor:
        """Return probabilities (B, N) of the LR stream alone."""


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """Return the temperature with the smallest negative log-likelihood of probabilities (M, N)."""
    # A grid is enough: the likelihood has a single optimum over T. The argmax stays whatever T is.
    grid = [round(0.3 + 0.05 * step, 2) for step in range(55)]
    logs = probabilities.clamp_min(1e-12).log()
    return min(grid, key=lambda t: float(torch.nn.functional.cross_entropy(logs / t, labels)))


@dataclass(frozen=True)
class Ensemble:
    """Out-of-fold ensemble: image i is answered by classifiers[fold[i]], which did not train on it.

    A single classifier that answers for every image is the paper's way.
    """

    classifiers: Sequence[Classifier]
    fold: Tensor
    """int64 (N,)"""

    def coarse(self, batch: Batch) -> Tensor:
        """Return the LR stream's class probabilities (B, N), without gradient."""
        return self._answers(batch, lambda classifier, mine: classifier.coarse(batch.lr[mine]))

    def probabilities(self, batch: Batch, selected: Tensor, coarse: Tensor | None) -> Tensor:
        """Return class probabilities (B, N) given the bought patches (B, 16), without gradient.

        They are mixed by eq. 7 with `coarse` (B, N); None leaves the LR stream out (Pt and Ft-1).
        """

        def answer(classifier: Classifier, mine: Tensor) -> Tensor:
            tiles = batch.hr[mine], batch.lr[mine], selected[mine]
            if coarse is None:
                return torch.softmax(classifier.hr_logits(*tiles).float(), dim=1)
            return classifier.mixture(*tiles, coarse[mine])

        return self._answers(batch, answer)

    def _answers(self, batch: Batch, answer: Callable[[Classifier, Tensor], Tensor]) -> Tensor:
        """Return each image's answer (B, N) from the classifier of its own fold."""
        everything = torch.arange(len(batch.chosen), device=batch.hr.device)
        parts = [everything]
        if len(self.classifiers) > 1:
            folds = self.fold[batch.chosen].to(batch.hr.device)
            # Positions in the batch, by fold: each classifier runs once, on its own images.
            parts = [everything[folds == number] for number in range(len(self.classifiers))]
        with torch.no_grad(), inference_precision(batch.hr.device):
            pairs = zip(self.classifiers, parts, strict=True)
            # A small batch may hold no image of a fold: networks take no empty batch.
            answers = [answer(classifier, mine) for classifier, mine in pairs if len(mine)]
        # The answers come fold after fold; argsort of the positions puts them back in the batch's order.
        return torch.cat(answers)[torch.cat(parts).argsort()]


def in_sample_ensemble(classifier: Classifier, images: ImageSource) -> Ensemble:
    """Return an ensemble of one classifier, which answers for every image, trained on it or not."""
    return Ensemble([classifier], torch.zeros(len(images.labels), dtype=torch.int64))


@dataclass(frozen=True, kw_only=True)
class AnswerTable:
    """Answers of an ensemble for many choices of patches of many images, computed once."""

    indices: Tensor
    """int64 (M,): indices of the images"""
    masks: Tensor
    """bool (M, K, 16): the choices"""
    hr: Tensor
    """(M, K, N): probabilities of the HR stream"""
    lr: Tensor
    """(M, N): probabilities of the LR stream"""
    labels: Tensor
    """int64 (M,)"""

    def mixed(self, exponent: float) -> Tensor:
        """Return probabilities (M, K, N), fused with the given exponent."""
        count, masks, classes = self.hr.shape
        # The LR stream answers once for all K choices: (M, N) -> (M, K, N) -> (M K, N).
        lr = self.lr.unsqueeze(1).expand(-1, masks, -1).reshape(-1, classes)
        bought = self.masks.sum(2).reshape(-1)  # S of eq. 7, (M K,)
        return fuse(self.hr.reshape(-1, classes), lr, bought, exponent).reshape(count, masks, classes)

    def calibrated(self, exponent: float) -> Tensor:
        """Return the mixed probabilities (M, K, N), temperature-scaled."""
        mixed = self.mixed(exponent)
        flat = mixed.flatten(0, 1)  # (M K, N)
        truth = self.labels.repeat_interleave(mixed.shape[1])  # (M K,)
        # Label smoothing makes the raw probabilities under-confident.
        return calibrate(flat, fit_temperature(flat, truth)).reshape(mixed.shape)


def answer_table(
    run: Run, name: str, ensemble: Ensemble, images: ImageSource, indices: Tensor, masks: int
) -> AnswerTable:
    """Build the table of images[indices] with `masks` choices each, or read it back in a resumed run.

    At most MOST_QUERIED images, drawn at random, are in it.
    """
    path = run.out / f"{name}.safetensors"
    if not (run.resume and path.exists()) and processes.rank() == 0:
        shuffle = seed_epoch(run.seed, name, 0)
        if len(indices) > MOST_QUERIED:
            indices = indices[torch.randperm(len(indices), generator=shuffle)[:MOST_QUERIED]]
        save_tensors(path, _answered(run, ensemble, images, indices, masks), {"kind": "table"})
    # Every process reads what process 0 wrote, so all regress on the same answers.
    processes.wait()
    tensors, _ = load_tensors(path)
    return AnswerTable(**tensors)


def _answered(
    run: Run, ensemble: Ensemble, images: ImageSource, indices: Tensor, masks: int
) -> dict[str, Tensor]:
    chosen_masks = query_masks(len(indices), masks)  # (M, K, 16)
    # float32 on the CPU: 24 answers for 100,000 images of 1,000 classes are 9.6 GB.
    hr_answers = torch.zeros(len(indices), masks, len(images.classes))
    lr_answers = torch.zeros(len(indices), len(images.classes))
    folds = ensemble.fold[indices]
    for number, classifier in enumerate(ensemble.classifiers):
        mine = (folds == number).nonzero()[:, 0]
        parts = inference_batches(images, mine, run.device)
        for positions in tqdm(parts, desc=f"table, fold {number}", mininterval=5):
            rows = mine[positions]
            # Pixels are read once for all K choices: of a streamed data set reading is the slow part.
            hr, lr, _ = batch_of(images, indices[rows], run.device)
            with torch.inference_mode(), inference_precision(run.device):
                lr_answers[rows] = classifier.coarse(lr).cpu()
                for k in range(masks):
                    logits = classifier.hr_logits(hr, lr, chosen_masks[rows, k].to(hr.device))
                    hr_answers[rows, k] = torch.softmax(logits.float(), 1).cpu()
    answers = {"indices": indices, "masks": chosen_masks, "hr": hr_answers, "lr": lr_answers}
    return answers | {"labels": images.labels[indices]}
