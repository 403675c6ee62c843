"""The second look: hand-made sights, and the direct sum beside the Fourier transforms."""

import math
import time
from dataclasses import replace

import pytest
import torch

from models.counts import Counts
from models.second_look import FAR, SecondLook, Sight, revise

SHAPE = (2, 8, 8)
LOOK = SecondLook(near=1.5, prior=0.8, far_share=0.3, discount=0.4, before=0.5)


def first(shape: tuple[int, int, int] = SHAPE) -> Counts:
    generator = torch.Generator().manual_seed(0)
    return Counts(
        mean=torch.rand(shape, generator=generator, dtype=torch.float64) * 3 + 0.01,
        dispersion=torch.rand(shape, generator=generator, dtype=torch.float64) + 0.1,
    )


def one_patch(count: float, row: int = 4, column: int = 4) -> Sight:
    bought, observed = torch.zeros(SHAPE, dtype=torch.bool), torch.zeros(SHAPE)
    bought[:, row, column] = True
    observed[:, row, column] = count
    return Sight.of(bought, observed)


def test_the_first_map_is_returned_exactly_where_nothing_is_known() -> None:
    known, sight = first(), one_patch(9.0)
    revised = revise(known, Sight.nothing(known), LOOK)
    assert torch.equal(revised.mean, known.mean)
    assert torch.equal(revised.dispersion, known.dispersion)
    sight.bought[0] = False
    revised = revise(known, sight, LOOK)
    assert torch.equal(revised.mean[0], known.mean[0])
    assert not torch.allclose(revised.mean[1], known.mean[1])


@pytest.mark.parametrize("shape", [(1, 4, 4), (2, 8, 12), (1, 1, 9)])
def test_revised_means_are_those_of_the_direct_sum(shape: tuple[int, int, int]) -> None:
    known, generator = first(shape), torch.Generator().manual_seed(1)
    sight = Sight(
        bought=torch.rand(shape, generator=generator) < 0.3,
        observed=torch.rand(shape, generator=generator) * 5,
        known_before=torch.rand(shape, generator=generator) < 0.3,
        before=torch.rand(shape, generator=generator) * 5,
    )
    revised = revise(known, sight, LOOK).mean
    for b, row, column in torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, 3).tolist():
        seen = expected = LOOK.prior
        for r in range(shape[1]):
            for c in range(shape[2]):
                distance = math.hypot(r - row, c - column)
                weight = (1 - LOOK.far_share) * math.exp(-distance / LOOK.near)
                weight += LOOK.far_share * math.exp(-distance / (FAR * LOOK.near))
                mean = float(known.mean[b, r, c])
                weight /= 1 + LOOK.discount * float(known.dispersion[b, r, c]) * mean
                if sight.bought[b, r, c]:
                    count = float(sight.observed[b, r, c])
                elif sight.known_before[b, r, c]:
                    weight, count = weight * LOOK.before, float(sight.before[b, r, c])
                else:
                    continue
                seen += weight * count
                expected += weight * mean
        exact = float(known.mean[b, row, column]) * seen / expected
        assert float(revised[b, row, column]) == pytest.approx(exact, rel=1e-12)


def test_a_surprise_changes_its_neighbours_most_and_what_was_expected_changes_nothing() -> None:
    known = first()
    more, fewer = (revise(known, one_patch(count), LOOK).mean / known.mean for count in (9.0, 0.0))
    assert (more > 1).all()
    assert (fewer < 1).all()
    along = more[0, 4, 4:]
    assert (along[1:] < along[:-1]).all()
    expected = one_patch(float(known.mean[0, 4, 4]))
    assert torch.allclose(revise(known, expected, LOOK).mean[0], known.mean[0], rtol=1e-6)


def test_counts_of_patches_that_are_not_known_are_ignored() -> None:
    known, sight = first(), one_patch(9.0)
    hidden = replace(
        sight,
        observed=torch.where(sight.bought, sight.observed, torch.nan),
        before=torch.full(SHAPE, torch.inf),
    )
    assert torch.equal(revise(known, sight, LOOK).mean, revise(known, hidden, LOOK).mean)


def test_earlier_imagery_weighs_less_than_a_purchase_and_nothing_beside_one() -> None:
    known, sight = first(), one_patch(9.0)
    owned = Sight(
        bought=torch.zeros_like(sight.bought),
        observed=torch.zeros(SHAPE),
        known_before=sight.bought,
        before=sight.observed,
    )
    bought, before = revise(known, sight, LOOK).mean, revise(known, owned, LOOK).mean
    assert (bought > before).all()
    assert (before > known.mean).all()
    assert torch.equal(revise(known, owned, replace(LOOK, before=1.0)).mean, bought)
    assert torch.allclose(revise(known, owned, replace(LOOK, before=0.0)).mean, known.mean, rtol=1e-12)
    both = replace(sight, known_before=sight.bought, before=torch.full(SHAPE, 2.0))
    assert torch.equal(revise(known, both, LOOK).mean, bought)


def test_a_scene_of_160_000_patches_is_revised_within_seconds() -> None:
    known = first((1, 400, 400))
    sight = Sight.of(known.mean > 2.5, torch.zeros_like(known.mean))
    started = time.perf_counter()
    revised = revise(known, sight, LOOK)
    assert time.perf_counter() - started < 10
    assert torch.isfinite(revised.mean).all()
    assert (revised.mean > 0).all()


def test_revised_counts_keep_the_type_of_the_first() -> None:
    exact = first()
    known = Counts(mean=exact.mean.float(), dispersion=exact.dispersion.float())
    revised = revise(known, one_patch(9.0), LOOK).mean
    assert revised.dtype == torch.float32
    assert torch.allclose(revised.double(), revise(exact, one_patch(9.0), LOOK).mean, rtol=1e-6)
