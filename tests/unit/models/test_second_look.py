import pytest
import torch

from models.counts import Counts
from models.second_look import PLANES, SecondLook, SecondLookConfig, Sight, sight_planes
from models.symmetry import dihedral

SHAPE = (2, 8, 8)


def first() -> Counts:
    generator = torch.Generator().manual_seed(0)
    return Counts(
        mean=torch.rand(SHAPE, generator=generator) * 3 + 0.01,
        dispersion=torch.rand(SHAPE, generator=generator) + 0.1,
    )


def trained_look() -> SecondLook:
    """Return a look whose last layer is not zero any more."""
    torch.manual_seed(1)
    look = SecondLook(SecondLookConfig(width=8)).eval()
    torch.nn.init.normal_(look.factors.weight)
    return look


def one_patch(count: float, row: int = 4, column: int = 4) -> Sight:
    bought, observed = torch.zeros(SHAPE, dtype=torch.bool), torch.zeros(SHAPE)
    bought[:, row, column] = True
    observed[:, row, column] = count
    return Sight.of(bought, observed)


@torch.inference_mode()
def test_second_look_returns_the_first_map_exactly_where_nothing_was_seen() -> None:
    known = first()
    revised = trained_look()(known, Sight.nothing(known))
    assert torch.equal(revised.mean, known.mean)
    assert torch.equal(revised.dispersion, known.dispersion)


@torch.inference_mode()
def test_an_untrained_second_look_returns_the_first_map() -> None:
    known = first()
    revised = SecondLook(SecondLookConfig())(known, one_patch(9.0))
    assert torch.allclose(revised.mean, known.mean, rtol=1e-5)
    assert torch.allclose(revised.dispersion, known.dispersion, rtol=1e-5)


@torch.inference_mode()
def test_only_the_difference_that_the_sight_makes_changes_the_map() -> None:
    known, sight, look = first(), one_patch(9.0), trained_look()
    before = look(known, sight).mean
    look.get_parameter("factors.bias").add_(5)
    assert torch.allclose(look(known, sight).mean, before, rtol=1e-4)


@torch.inference_mode()
def test_a_scene_without_a_sight_keeps_its_map_beside_one_with_a_sight() -> None:
    known, sight = first(), one_patch(9.0)
    sight.bought[0] = False
    revised = trained_look()(known, sight)
    assert torch.equal(revised.mean[0], known.mean[0])
    assert not torch.allclose(revised.mean[1], known.mean[1])


@torch.inference_mode()
def test_second_look_ignores_counts_of_patches_that_are_not_known() -> None:
    known, sight = first(), one_patch(9.0)
    hidden = Sight(
        bought=sight.bought,
        observed=torch.where(sight.bought, sight.observed, 77.0),
        known_before=sight.known_before,
        before=torch.full(SHAPE, 55.0),
    )
    look = trained_look()
    assert torch.equal(look(known, sight).mean, look(known, hidden).mean)


@torch.inference_mode()
def test_earlier_imagery_revises_the_map_without_any_purchase() -> None:
    known = first()
    owned = Sight.nothing(known)
    owned.known_before[:, 2, 2] = True
    owned.before[:, 2, 2] = 12.0
    revised = trained_look()(known, owned)
    assert not torch.allclose(revised.mean, known.mean)
    assert torch.isfinite(revised.mean).all()
    assert (revised.dispersion > 0).all()


@torch.inference_mode()
def test_second_look_reads_scenes_of_any_shape_and_stays_finite() -> None:
    known = Counts(mean=torch.full((1, 4, 12), 300.0), dispersion=torch.full((1, 4, 12), 0.05))
    bought = torch.ones((1, 4, 12), dtype=torch.bool)
    bought[:, 0, 0] = False
    revised = trained_look()(known, Sight.of(bought, torch.zeros((1, 4, 12))))
    assert revised.mean.shape == (1, 4, 12)
    assert torch.isfinite(revised.mean).all()
    assert torch.isfinite(revised.variance).all()


@pytest.mark.parametrize("k", range(8))
def test_planes_turn_with_the_scene(k: int) -> None:
    known, sight = first(), one_patch(9.0, row=1, column=6)

    def turn(values: torch.Tensor) -> torch.Tensor:
        return dihedral(values[:, None], k)[:, 0]

    turned = sight_planes(
        Counts(mean=turn(known.mean), dispersion=turn(known.dispersion)),
        Sight(**{name: turn(value) for name, value in vars(sight).items()}),
    )
    straight = sight_planes(known, sight)
    assert straight.shape[1] == PLANES
    assert torch.allclose(dihedral(straight, k), turned, atol=1e-6)
