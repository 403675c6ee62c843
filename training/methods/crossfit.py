"""Cross-fitting: what a patch is worth is asked of classifiers that never saw the image.

On 1,680 images a classifier knows its training set by heart; there, nothing is worth buying, and a
policy trained on its rewards learns to buy nothing.
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
from training.methods.masks import asking_masks
from training.run import processes
from training.run.batches import Batch, batch_of
from training.run.checkpoints import load_tensors, save_tensors
from training.run.evaluate import answered_together
from training.run.lab import Lab, seed_everything
from training.run.precision import inference_precision

MOST_ASKED = 100_000
"""Images: of ImageNet's, 24 answers each over 1,000 classes would be 121 GB."""


class Classifier(Protocol):
    """What hands out rewards: models.two_stream.TwoStreamClassifier, or a BagNet."""

    hr: nn.Module
    """What Ft-1 and Ft-2 train."""
    fill: Fill
    fusion_exponent: float

    def hr_logits(self, hr: Tensor, lr: Tensor, selected: Tensor) -> Tensor:
        """Logits (B, N) from the bought patches."""

    def mixture(self, hr: Tensor, lr: Tensor, selected: Tensor, coarse: Tensor | None, /) -> Tensor:
        """Probabilities (B, N) of both streams together."""

    def coarse(self, lr: Tensor) -> Tensor:
        """Probabilities (B, N) of the LR stream alone."""


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """Temperature with the smallest negative log-likelihood of probabilities (M, N); the argmax stays."""
    grid = [round(0.3 + 0.05 * step, 2) for step in range(55)]
    logs = probabilities.clamp_min(1e-12).log()
    return min(grid, key=lambda t: float(torch.nn.functional.cross_entropy(logs / t, labels)))


@dataclass(frozen=True)
class Jury:
    """One classifier per fold; image i is judged by classifiers[fold[i]], which did not train on it.

    A single classifier judging every image is the paper's way.
    """

    classifiers: Sequence[Classifier]
    fold: Tensor
    """int64 (N,)"""

    def coarse(self, batch: Batch) -> Tensor:
        """Of the classes, by the LR stream alone: (B, N), without gradient."""
        return self._asked(batch, lambda judge, mine: judge.coarse(batch.lr[mine]))

    def probabilities(self, batch: Batch, selected: Tensor, coarse: Tensor | None) -> Tensor:
        """Of the classes given the bought patches: (B, N), without gradient.

        By eq. 7 with what `coarse` said of these tiles; None leaves the LR stream out (Pt, Ft-1).
        """

        def answer(judge: Classifier, mine: Tensor) -> Tensor:
            tiles = batch.hr[mine], batch.lr[mine], selected[mine]
            if coarse is None:
                return torch.softmax(judge.hr_logits(*tiles).float(), dim=1)
            return judge.mixture(*tiles, coarse[mine])

        return self._asked(batch, answer)

    def _asked(self, batch: Batch, answer: Callable[[Classifier, Tensor], Tensor]) -> Tensor:
        """Each image's answer from its own judge."""
        everything = torch.arange(len(batch.chosen), device=batch.hr.device)
        parts = [everything]
        if len(self.classifiers) > 1:
            folds = self.fold[batch.chosen].to(batch.hr.device)
            parts = [everything[folds == number] for number in range(len(self.classifiers))]
        with torch.no_grad(), inference_precision(batch.hr.device):
            pairs = zip(self.classifiers, parts, strict=True)
            answers = [answer(judge, mine) for judge, mine in pairs if len(mine)]
        return torch.cat(answers)[torch.cat(parts).argsort()]


def sole_judge(classifier: Classifier, images: ImageSource) -> Jury:
    """A jury of one: the same classifier judges every image, whether or not it has learnt it."""
    return Jury([classifier], torch.zeros(len(images.labels), dtype=torch.int64))


@dataclass(frozen=True, kw_only=True)
class Table:
    """A jury's answers for many choices of patches of many images, asked once."""

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


def ask(lab: Lab, name: str, jury: Jury, indices: Tensor) -> Table:
    """Build the table of images[indices], or read it back in a resumed run.

    Of more than MOST_ASKED images so many are asked about, drawn at random.
    """
    path = lab.run.out / f"{name}.safetensors"
    if not (lab.run.resume and path.exists()) and processes.rank() == 0:
        shuffle = seed_everything(lab.run.seed, name, 0)
        if len(indices) > MOST_ASKED:
            indices = indices[torch.randperm(len(indices), generator=shuffle)[:MOST_ASKED]]
        save_tensors(path, _asked(lab, jury, indices, lab.recipe.table_masks), {"kind": "table"})
    processes.wait()
    tensors, _ = load_tensors(path)
    return Table(**tensors)


def _asked(lab: Lab, jury: Jury, indices: Tensor, masks: int) -> dict[str, Tensor]:
    chosen_masks = asking_masks(len(indices), masks)
    hr_answers = torch.zeros(len(indices), masks, len(lab.images.classes))
    lr_answers = torch.zeros(len(indices), len(lab.images.classes))
    folds = jury.fold[indices]
    for number, classifier in enumerate(jury.classifiers):
        mine = (folds == number).nonzero()[:, 0]
        parts = answered_together(lab.images, mine, lab.run.device)
        for places in tqdm(parts, desc=f"table, fold {number}", mininterval=5):
            rows = mine[places]
            hr, lr, _ = batch_of(lab.images, indices[rows], lab.run.device)
            with torch.inference_mode(), inference_precision(lab.run.device):
                lr_answers[rows] = classifier.coarse(lr).cpu()
                for k in range(masks):
                    logits = classifier.hr_logits(hr, lr, chosen_masks[rows, k].to(hr.device))
                    hr_answers[rows, k] = torch.softmax(logits.float(), 1).cpu()
    answers = {"indices": indices, "masks": chosen_masks, "hr": hr_answers, "lr": lr_answers}
    return answers | {"labels": lab.images.labels[indices]}
