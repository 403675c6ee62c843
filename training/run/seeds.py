"""Seeds: the only place where a training run sets them."""

import hashlib

import torch

from training.run import processes


def seed_epoch(seed: int, stage: str, epoch: int) -> torch.Generator:
    """Seed torch for one epoch of a stage and return the generator that shuffles it.

    Each epoch has its own seed, so a resumed run repeats an unbroken one. The shuffle is the same in every
    process, because each takes its share of the same batch; the other draws differ between processes.
    """
    # By rank, or all processes would draw the same masks for their different images.
    torch.manual_seed(_number(seed, stage, epoch, processes.rank()))
    return torch.Generator().manual_seed(_number(seed, stage, epoch, "shuffle"))


def seed_start(seed: int, stage: str) -> None:
    """Seed the random weights that a stage starts from."""
    torch.manual_seed(_number(seed, "start", stage))


def _number(*words: object) -> int:
    # 7 bytes: torch takes seeds below 2**63, and neighbouring epochs must not have neighbouring seeds.
    return int.from_bytes(hashlib.sha256(" ".join(map(str, words)).encode()).digest()[:7], "big")
