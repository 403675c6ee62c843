"""REINFORCE with a self-critical baseline: the policy's training, from reward to stage (paper, section 3).

A policy buys patches of a tile from its LR pixels. One choice is sampled and one is greedy; the reward of
the sample minus that of the greedy choice drives the log-probability of the sample (eqs. 5 and 8 to 11).
The file follows that order: reward, distribution, loss, one batch, the stage, and policy collapse.

Stage Pt (section 3.4) trains the policy alone and rewards the label of a frozen classifier. The product's
polish differs: an out-of-fold ensemble gives the rewards, each the expectation over the label, which has
less variance than a label that is right or wrong.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from models.policy import PolicyNetwork, utilities
from training.data.images import ImageSource
from training.methods.out_of_fold import Classifier, Ensemble, in_sample_ensemble
from training.run.batches import Batch, batch_of
from training.run.evaluate import inference_batches, policy_logits
from training.run.folder import Run
from training.run.loop import train_stage
from training.run.recipe import Stage
from training.run.splits import Splits

RAMP = 0.8
"""Share of a stage over which alpha rises; then it is held."""
NEARLY_ALL = 0.99
"""Share of tiles treated alike from which a policy counts as collapsed."""


# Reward (section 3.3)


def reward(correct: Tensor, selected: Tensor, sigma: float, prices: Tensor | None = None) -> Tensor:
    """Return 1 - (|a|_1 / P)^2 for a correct label and -sigma for a wrong one: (B,), (B, P) -> (B,).

    `correct` may also be the probability of the true label: the reward is then its expectation over labels
    drawn from the classifier. With `prices` (P,) or (B, P), |a|_1 / P becomes the bought share of the total
    price; equal prices give the paper's reward.
    """
    right = correct.to(torch.float32)
    # The square makes the first patches almost free: the k-th costs (2k - 1) / 256 of the reward.
    return right * (1 - bought_share(selected, prices) ** 2) - (1 - right) * sigma


def bought_share(selected: Tensor, prices: Tensor | None = None) -> Tensor:
    """Return the share of the patches, or of their total price, that is bought: (B, P) -> (B,)."""
    chosen = selected.to(torch.float32)
    if prices is None:
        return chosen.mean(-1)
    return (chosen * prices).sum(-1) / prices.expand_as(chosen).sum(-1)


def correctness(probabilities: Tensor, labels: Tensor, *, expected: bool) -> Tensor:
    """Return 1 where the likeliest class is the label, else 0: (B, N), (B,) -> (B,).

    With `expected`, return the probability of the label instead.
    """
    if expected:
        return probabilities.gather(1, labels.unsqueeze(1))[:, 0]  # (B, 1) -> (B,)
    return (probabilities.argmax(1) == labels).float()


# Distribution over choices (eqs. 5, 6 and 11)


def log_probability(actions: Tensor, probabilities: Tensor) -> Tensor:
    """Return log pi(a | x) of eq. 5, summed over independent patches: (B, P), (B, P) -> (B,)."""
    likelihood = torch.where(actions.bool(), probabilities, 1 - probabilities)
    # Eq. 9 sums over patches; the authors' code averages over them.
    # The clamp bounds the logarithm where alpha = 1 lets a sure policy give an action probability 0.
    return likelihood.clamp_min(1e-8).log().sum(-1)


def temper(probabilities: Tensor, alpha: float) -> Tensor:
    """Return eq. 11's alpha s + (1 - alpha)(1 - s), which keeps s within [1 - alpha, alpha]; same shape."""
    # Symmetric about 0.5: for alpha > 0.5 exploration never changes the greedy choice.
    return alpha * probabilities + (1 - alpha) * (1 - probabilities)


def alpha_at(progress: float, start: float, end: float) -> float:
    """Return eq. 11's alpha: linear from `start` to `end` over RAMP of the stage, then held."""
    # A policy sure of buying nothing samples that choice with probability alpha^16: 0.003 at 0.7, 0.44 at
    # 0.95. Only a high alpha at the end lets the choice be reinforced.
    return start + (end - start) * min(1.0, progress / RAMP)


def greedy_actions(probabilities: Tensor) -> Tensor:
    """Return the served choice, from probabilities without exploration: bool, same shape."""
    return probabilities >= 0.5


# Loss (eqs. 8 to 10)


def self_critical_loss(
    sampled_reward: Tensor, greedy_reward: Tensor, actions: Tensor, probabilities: Tensor
) -> Tensor:
    """Return the mean of -A log pi with A = R(sampled) - R(greedy) of eq. 10: a scalar.

    Its gradient is minus the estimate of eqs. 8 and 9. Rewards are (B,); `probabilities` (B, P) are those
    that `actions` (B, P) were drawn from, after eq. 11.
    """
    # Rewards are constants of the estimate: a gradient through them would train the classifier to be
    # easily pleased.
    advantage = (sampled_reward - greedy_reward).detach()
    return -(advantage * log_probability(actions, probabilities)).mean()


# One batch


@dataclass(frozen=True)
class PolicyStep:
    """Loss and metrics of one batch, with the choices that they were computed on."""

    loss: Tensor
    sampled: Tensor
    """bool (B, 16)"""
    greedy: Tensor
    """bool (B, 16)"""
    metrics: dict[str, Tensor]


def policy_step(
    policy: PolicyNetwork,
    ensemble: Ensemble,
    batch: Batch,
    config: Stage,
    coarse: Tensor | None,
    *,
    expected: bool,
) -> PolicyStep:
    """Compute the self-critical policy gradient of one batch.

    `coarse` (B, N) holds the LR stream's probabilities; None leaves that stream out of the rewards (Pt and
    Ft-1). `expected` rewards the probability of the true label instead of whether the label is right.
    """
    probabilities = utilities(policy(batch.lr).float())  # s_p of eq. 6, (B, 16)
    # The baseline is the choice that service would make: no exploration in it.
    greedy = greedy_actions(probabilities.detach())
    explored = temper(probabilities, alpha_at(batch.progress, config.alpha_start, config.alpha_end))
    sampled = torch.bernoulli(explored.detach()).bool()
    earned = {}
    for name, selected in (("sampled", sampled), ("greedy", greedy)):
        # Eq. 7 weighs the streams by S: each choice is answered with the S of its own mask.
        answers = ensemble.probabilities(batch, selected, coarse)  # (B, N)
        earned[name] = reward(correctness(answers, batch.labels, expected=expected), selected, config.sigma)
    metrics = {
        "reward_sampled": earned["sampled"].mean(),
        "reward_greedy": earned["greedy"].mean(),
        "patches_sampled": sampled.float().sum(1).mean(),
        "patches_greedy": greedy.float().sum(1).mean(),
    }
    # The likelihood must be of the explored probabilities: the sample was drawn from them.
    loss = self_critical_loss(earned["sampled"], earned["greedy"], sampled, explored)
    return PolicyStep(loss, sampled, greedy, metrics)


# The stage


def train_policy(
    run: Run,
    stage: str,
    policy: PolicyNetwork,
    ensemble: Ensemble,
    splits: Splits,
    config: Stage,
    *,
    hr_only: bool,
    polish: bool = False,
) -> None:
    """Train `policy` in place on the learnt images; leaves it in evaluation mode.

    `hr_only` leaves the LR stream out of the rewards. A `polish` starts from a policy that has already
    learnt: its batch norms stay frozen, and its rewards are expectations.
    """

    def step(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        coarse = None if hr_only else ensemble.coarse(batch)
        result = policy_step(policy, ensemble, batch, config, coarse, expected=polish)
        return result.loss, result.metrics

    def validate() -> float:
        classifier = ensemble.classifiers[0]
        return greedy_reward(
            policy, classifier, splits.images, splits.validation, config.sigma, hr_only=hr_only
        )

    # Frozen batch norms: sampled, greedy and served choices of a polish share their statistics.
    train_mode = () if polish else ("policy",)
    train_stage(
        run,
        stage,
        {"policy": policy},
        splits.to_learn,
        config,
        step,
        train_mode=train_mode,
        validate=validate,
    )
    warn_of_collapse(run, stage, policy, splits.images, splits.validation)


@torch.inference_mode()
def greedy_reward(
    policy: PolicyNetwork,
    classifier: Classifier,
    images: ImageSource,
    indices: Tensor,
    sigma: float,
    *,
    hr_only: bool,
) -> float:
    """Return the mean reward of greedy choices on images[indices]: the validation score of an early stop."""
    device = policy.shift.device
    policy.eval()
    # With batch statistics the reward of a tile would depend on its neighbours in the batch.
    classifier.hr.eval()
    ensemble, total = in_sample_ensemble(classifier, images), 0.0
    for positions in inference_batches(images, indices, device):
        chosen = indices[positions]
        hr, lr, labels = batch_of(images, chosen, device)
        batch = Batch(hr=hr, lr=lr, labels=labels, chosen=chosen, progress=1.0, symmetry=0)
        greedy = greedy_actions(utilities(policy(lr)))
        answers = ensemble.probabilities(batch, greedy, None if hr_only else ensemble.coarse(batch))
        total += float(reward(correctness(answers, labels, expected=False), greedy, sigma).sum())
    return total / len(indices)


# Policy collapse


def warn_of_collapse(
    run: Run, stage: str, policy: PolicyNetwork, images: ImageSource, indices: Tensor
) -> None:
    """Report a collapsed policy on the terminal and in metrics.jsonl."""
    logits = policy_logits(policy, images, indices)
    if found := collapse(greedy_actions(utilities(logits))):
        run.log(stage=stage, warning=found)
        tqdm.write(f"{stage}: {found}")


def collapse(selected: Tensor) -> str | None:
    """Describe the policy collapse in the choices bool (M, 16) of many tiles, and what usually helps.

    None if the choices follow the tiles.
    """
    bought = selected.sum(1)  # (M,)
    if float((bought == 0).float().mean()) >= NEARLY_ALL:
        return (
            "The policy buys nothing for nearly every tile: raise sigma, or reward it by classifiers that "
            "have not seen the tiles (folds > 1)."
        )
    if float((bought == selected.shape[1]).float().mean()) >= NEARLY_ALL:
        return (
            "The policy buys every patch of nearly every tile: lower sigma, or train the classifier on "
            "masked tiles first."
        )
    masks, counts = torch.unique(selected, dim=0, return_counts=True)
    # One tile alone always has a single choice: that says nothing.
    if len(selected) > 1 and float(counts.max()) / len(selected) >= NEARLY_ALL:
        chosen = masks[counts.argmax()].nonzero()[:, 0].tolist()
        return (
            f"The policy buys the same patches {chosen} of nearly every tile, whatever the tile shows: "
            "train longer, or start from value regression."
        )
    return None
