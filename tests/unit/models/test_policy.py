from dataclasses import replace

import pytest
import torch

from models.backbones import build_backbone
from models.policy import PolicyConfig, PolicyNetwork, log_label_uncertainty, utilities
from models.symmetry import dihedral, dihedral_patches

LR = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))


def build(input_size: int = 8) -> PolicyNetwork:
    torch.manual_seed(0)
    return PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=input_size)).eval()


@pytest.mark.parametrize("input_size", [4, 8])
def test_policy_returns_one_logit_per_patch(input_size: int) -> None:
    assert build(input_size)(LR).shape == (2, 16)


def test_shift_is_the_score_of_utility_one_half() -> None:
    policy = build()
    policy.shift = policy(LR)[0, 3].detach()
    policy.scale = torch.tensor(5.0)
    assert utilities(policy(LR))[0, 3].item() == 0.5


@pytest.mark.parametrize("name", ["resnet8", "resnet32", "resnet10", "resnet18", "efficientnet_lite0"])
def test_build_backbone_finds_networks_by_name(name: str) -> None:
    network = build_backbone(name, 3).eval()
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_resnet32_has_the_published_number_of_weights() -> None:
    assert sum(p.numel() for p in build_backbone("resnet32", 10).parameters()) == pytest.approx(
        0.467e6, rel=0.01
    )


def test_efficientnet_lite_keeps_the_batch_norm_eps_of_tensorflow() -> None:
    norms = [
        m for m in build_backbone("efficientnet_lite0", 3).modules() if isinstance(m, torch.nn.BatchNorm2d)
    ]
    assert {norm.eps for norm in norms} == {1e-3}


@pytest.mark.parametrize("name", ["no_such_network", "hf_hub:someone/network", "local-dir:/tmp"])
def test_build_backbone_refuses_names_outside_the_registry(name: str) -> None:
    with pytest.raises(ValueError, match="is unknown"):
        build_backbone(name, 3)


def test_score_is_the_saving_after_every_better_patch() -> None:
    policy = build()
    with torch.inference_mode():
        log_saving, reach = policy.saving_and_reach(LR)
        logits = policy(LR)
    for tile in range(2):
        left = log_saving[tile].exp()
        for patch in reach[tile].argsort(descending=True).tolist():
            # The marginal saving of the next patch: minus the derivative of b exp(-V), which is b exp(-V) v.
            assert logits[tile, patch].exp().item() == pytest.approx(
                (left * reach[tile, patch]).item(), rel=1e-4
            )
            left = left * torch.exp(-reach[tile, patch])


def test_label_uncertainty_multiplies_the_saving_of_every_patch_of_a_tile() -> None:
    policy = build()
    policy.scale = torch.tensor(2.0)
    coarse = torch.tensor([[0.9, 0.06, 0.04], [0.2, 0.5, 0.3]])
    with torch.inference_mode():
        without = policy(LR, coarse)
        policy.config = replace(policy.config, uncertainty_exponent=0.5)
        saved = (policy(LR, coarse) / 2).exp() / (without / 2).exp()
    assert torch.allclose(saved, torch.tensor([[0.1], [0.5]]).sqrt().expand(2, 16), rtol=1e-4)


def test_policy_that_weighs_uncertainty_refuses_missing_probabilities() -> None:
    policy = build()
    policy.config = replace(policy.config, uncertainty_exponent=1.0)
    with pytest.raises(ValueError, match="pass the LR stream's probabilities"):
        policy(LR)


def test_label_uncertainty_stays_exact_where_confidence_rounds_to_one() -> None:
    sure = torch.tensor([[1.0, 1e-9, 1e-10], [1.0, 0.0, 0.0]])
    assert log_label_uncertainty(sure).exp().tolist() == pytest.approx([1.1e-9, 1e-12], rel=1e-4)


def test_policy_with_eight_views_turns_its_logits_with_the_tile() -> None:
    policy = build()
    policy.config = replace(policy.config, views=8)
    with torch.inference_mode():
        straight = policy(LR)
        for k in range(8):
            assert torch.allclose(policy(dihedral(LR, k)), dihedral_patches(straight, k), atol=1e-4)


@pytest.mark.parametrize("views", [0, 9])
def test_policy_config_refuses_more_views_than_symmetries(views: int) -> None:
    with pytest.raises(ValueError, match="1 to 8"):
        PolicyNetwork(PolicyConfig(backbone="resnet8", input_size=8, views=views))
