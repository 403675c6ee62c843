import pytest
import torch
from scipy.stats import nbinom

from models.counts import Counts

MEAN, DISPERSION = torch.tensor([0.02, 0.7, 3.0, 40.0]), torch.tensor([2.0, 0.05, 0.8, 0.3])


def test_negative_log_likelihood_equals_scipy() -> None:
    counts = torch.tensor([0.0, 2.0, 5.0, 31.0])
    r = 1 / DISPERSION
    reference = -nbinom.logpmf(counts.numpy(), r.numpy(), (r / (r + MEAN)).numpy())
    found = Counts(mean=MEAN, dispersion=DISPERSION).negative_log_likelihood(counts)
    assert found.numpy() == pytest.approx(reference, rel=1e-4)


def test_variance_and_presence_equal_scipy() -> None:
    r = 1 / DISPERSION
    reference = nbinom(r.numpy(), (r / (r + MEAN)).numpy())
    found = Counts(mean=MEAN, dispersion=DISPERSION)
    assert found.variance.numpy() == pytest.approx(reference.var(), rel=1e-4)
    assert found.presence.numpy() == pytest.approx(1 - reference.pmf(0), rel=1e-4)


def test_of_moments_gives_back_mean_and_variance() -> None:
    known = Counts(mean=MEAN, dispersion=DISPERSION)
    found = Counts.of_moments(known.mean, known.variance)
    assert found.dispersion.numpy() == pytest.approx(DISPERSION.numpy(), rel=1e-4)


def test_of_moments_is_never_narrower_than_poisson() -> None:
    found = Counts.of_moments(torch.tensor([2.0]), torch.tensor([1.0]))
    assert torch.isfinite(found.negative_log_likelihood(torch.tensor([3.0]))).all()
    assert found.variance >= found.mean
