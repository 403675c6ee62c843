import pytest
import torch

from models.backbones import build_backbone
from models.two_stream import TwoStreamClassifier, calibrate, fuse


def build(*, exponent: float = 1.0, temperature: float = 1.0) -> TwoStreamClassifier:
    torch.manual_seed(0)
    return TwoStreamClassifier(
        build_backbone("resnet8", 5),
        build_backbone("resnet8", 5),
        lr_input_size=8,
        fill="lr",
        fusion_exponent=exponent,
        temperature=temperature,
    ).eval()


HR = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
LR = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(2))


def test_fuse_weighs_the_streams_by_the_share_bought_as_equation_7() -> None:
    hr, lr = torch.tensor([[0.9, 0.1]]), torch.tensor([[0.1, 0.9]])
    assert torch.allclose(fuse(hr, lr, torch.tensor([4])), torch.tensor([[0.3, 0.7]]))


@torch.inference_mode()
def test_fusion_exponent_is_the_power_of_the_share_bought() -> None:
    bought = torch.zeros(3, 16)
    bought[:, :4] = 1
    hr = torch.softmax(build().hr_logits(HR, LR, bought), 1)
    lr = torch.softmax(build().lr_logits(LR), 1)
    for exponent, weight in ((0.5, 1 / 2), (1.0, 1 / 4), (2.0, 1 / 16)):
        mixed = build(exponent=exponent)(HR, LR, bought)
        assert torch.allclose(mixed, weight * hr + (1 - weight) * lr, atol=1e-6)


@pytest.mark.parametrize("exponent", [0.25, 1.0, 2.0])
@torch.inference_mode()
def test_classifier_equals_one_stream_at_either_end(exponent: float) -> None:
    classifier = build(exponent=exponent)
    nothing, everything = torch.zeros(3, 16), torch.ones(3, 16)
    assert torch.equal(classifier(HR, LR, nothing), torch.softmax(classifier.lr_logits(LR), 1))
    assert torch.equal(classifier(HR, LR, everything), torch.softmax(classifier.hr(HR), 1))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@torch.inference_mode()
def test_classifier_rows_are_probabilities(temperature: float) -> None:
    selected = torch.rand(3, 16, generator=torch.Generator().manual_seed(3)) < 0.5
    result = build(temperature=temperature)(HR, LR, selected)
    assert torch.allclose(result.sum(1), torch.ones(3))
    assert bool((result >= 0).all())


@torch.inference_mode()
def test_classifier_treats_a_tile_alike_alone_and_in_a_batch() -> None:
    selected = torch.eye(16)[:3]
    classifier = build()
    together = classifier(HR, LR, selected)
    alone = torch.cat([classifier(HR[i : i + 1], LR[i : i + 1], selected[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_calibrate_changes_confidence_but_never_the_label(temperature: float) -> None:
    probabilities = torch.softmax(torch.randn(50, 7, generator=torch.Generator().manual_seed(4)), 1)
    result = calibrate(probabilities, temperature)
    assert torch.equal(result.argmax(1), probabilities.argmax(1))
    assert bool((result.amax(1) > probabilities.amax(1)).all()) == (temperature < 1)


def test_calibrate_divides_the_logits_of_a_softmax() -> None:
    logits = torch.tensor([[1.0, 2.0, 4.0]])
    assert torch.allclose(calibrate(torch.softmax(logits, 1), 2.0), torch.softmax(logits / 2, 1))


def test_fuse_refuses_an_exponent_that_breaks_the_ends() -> None:
    with pytest.raises(ValueError, match="not positive"):
        fuse(torch.ones(1, 2), torch.ones(1, 2), torch.ones(1), exponent=0)
