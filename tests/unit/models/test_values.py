"""The value of patches by task."""

from itertools import product

import pytest
import torch

from models.counts import Counts
from models.values import negative_binomial, patch_values, right_labels


def expected(means: list[float], dispersion: float = 0.5) -> Counts:
    """Return the expected counts (1, P) of one tile."""
    mean = torch.tensor([means], dtype=torch.float64)
    return Counts(mean=mean, dispersion=torch.full_like(mean, dispersion))


def test_values_find_are_the_expected_objects_and_values_count_their_variance() -> None:
    """The two tasks with a closed form per patch."""
    counts = expected([0.5, 2.0])
    assert patch_values(counts, "find", (1, 10)).tolist() == [[0.5, 2.0]]
    assert patch_values(counts, "count", (1, 10))[0].tolist() == pytest.approx([0.625, 4.0])


@pytest.mark.parametrize("bought", [(), (0,), (1,), (0, 1)])
def test_right_labels_of_two_patches_equal_an_enumeration_of_all_counts(bought: tuple[int, ...]) -> None:
    """All four choices of two patches, by summing over every pair of counts up to 200."""
    means, variances = torch.tensor([0.7, 3.0]).double(), torch.tensor([1.2, 6.0]).double()
    tables = [negative_binomial(m, v, 200) for m, v in zip(means, variances, strict=True)]
    joint: dict[tuple[int, ...], list[float]] = {}
    for counts in product(range(200), repeat=2):
        chance = float(tables[0][counts[0]] * tables[1][counts[1]])
        by_class = joint.setdefault(tuple(counts[at] for at in bought), [0.0, 0.0, 0.0])
        by_class[sum(sum(counts) >= edge for edge in (1, 10))] += chance
    enumerated = sum(max(by_class) for by_class in joint.values())
    at = torch.zeros(2).double()
    at[list(bought)] = 1
    computed = right_labels(
        ((means * at).sum(), (variances * at).sum()),
        ((means * (1 - at)).sum(), (variances * (1 - at)).sum()),
        (1, 10),
    )
    # With nothing or both bought, one distribution stands for the sum of two.
    assert float(computed) == pytest.approx(enumerated, abs=0.02 if len(bought) != 1 else 1e-6)


def test_values_label_are_worth_nothing_where_the_class_is_certain() -> None:
    """A tile of which everybody knows that it holds hundreds of objects, and an empty one."""
    sure = torch.cat([patch_values(expected([m] * 16, 0.05), "label", (1, 10)) for m in (40.0, 1e-6)])
    assert float(sure.max()) < 1e-4


def test_values_label_add_up_to_the_gain_of_buying_everything_and_never_rise_in_the_order_of_variance() -> (
    None
):
    """The concave line meets the curve where nothing and where everything is bought."""
    counts = expected([0.01, 0.5, 3.0, 12.0])
    values = patch_values(counts, "label", (1, 10))[0]
    mean, variance = counts.mean.sum(), counts.variance.sum()
    nothing = right_labels((mean * 0, mean * 0), (mean, variance), (1, 10))
    assert float(values.sum()) == pytest.approx(1 - float(nothing))
    assert values.tolist() == sorted(values.tolist())


@pytest.mark.parametrize(("known", "bins"), [(0, (1, 10)), (4, (6,)), (9, (1,))])
def test_right_labels_after_some_objects_were_seen_are_those_of_the_edges_that_are_left(
    known: int, bins: tuple[int, ...]
) -> None:
    """With 4 tanks seen the class is 1 to 9 unless 6 more are found."""
    bought = torch.tensor([0.5, 2.0]).double(), torch.tensor([0.9, 5.0]).double()
    left = torch.tensor([3.0, 1.0]).double(), torch.tensor([8.0, 1.5]).double()
    found = right_labels(bought, left, (1, 10), torch.tensor([known, known]))
    torch.testing.assert_close(found, right_labels(bought, left, bins))


def test_right_labels_are_certain_once_the_last_edge_was_seen() -> None:
    """Ten tanks seen."""
    mean, variance = torch.tensor([3.0]).double(), torch.tensor([8.0]).double()
    assert float(right_labels((mean, variance), (mean, variance), (1, 10), torch.tensor([10]))) == 1


def test_values_label_of_patches_beside_others_that_are_read_anyway_add_up_to_what_is_still_gained() -> None:
    """The first patch comes in any case."""
    counts, coming = expected([0.9, 0.5, 3.0]), torch.tensor([[True, False, False]])
    values = patch_values(counts, "label", (1, 10), None, coming)[0]
    first, others = (
        (counts.mean[0, part].sum(), counts.variance[0, part].sum()) for part in (slice(0, 1), slice(1, None))
    )
    assert float(values[0]) == 0
    assert float(values.sum()) == pytest.approx(1 - float(right_labels(first, others, (1, 10))))
