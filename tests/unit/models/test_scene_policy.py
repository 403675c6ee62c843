import pytest
import torch

from models.scene_policy import ScenePolicy, ScenePolicyConfig
from models.symmetry import dihedral


def policy(views: int = 1) -> ScenePolicy:
    torch.manual_seed(0)
    return ScenePolicy(ScenePolicyConfig(backbone="efficientnet_lite0", patch_px=5, views=views)).eval()


@torch.inference_mode()
def test_scene_policy_counts_every_patch_of_a_scene_of_any_shape() -> None:
    counts = policy()(torch.randn(2, 3, 20, 35))
    assert counts.mean.shape == counts.dispersion.shape == (2, 4, 7)
    assert (counts.mean > 0).all()
    assert (counts.dispersion > 0).all()


@pytest.mark.parametrize("k", range(8))
@torch.inference_mode()
def test_scene_policy_with_eight_views_turns_with_the_scene(k: int) -> None:
    lr = torch.randn(1, 3, 20, 35, generator=torch.Generator().manual_seed(1))
    network = policy(views=8)
    straight, turned = network(lr).mean, network(dihedral(lr, k)).mean
    assert torch.allclose(dihedral(straight[:, None], k)[:, 0], turned, rtol=1e-3, atol=1e-5)


@torch.inference_mode()
def test_scene_policy_with_two_views_turns_with_the_scene_by_half_a_turn() -> None:
    lr = torch.randn(1, 3, 20, 35, generator=torch.Generator().manual_seed(1))
    network = policy(views=2)
    straight, turned = network(lr).mean, network(dihedral(lr, 2)).mean
    assert torch.allclose(dihedral(straight[:, None], 2)[:, 0], turned, rtol=1e-3, atol=1e-5)


@torch.inference_mode()
def test_scene_policy_sees_across_the_border_of_tiles() -> None:
    lr = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    changed = lr.clone()
    changed[..., 20:] = 0  # the tiles on the right
    network = policy()
    assert not torch.equal(network(lr).mean[..., 3], network(changed).mean[..., 3])


@pytest.mark.parametrize("shape", [(20, 21), (3, 20)])
def test_scene_policy_refuses_a_scene_without_whole_patches(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no whole patches of 5 px"):
        policy()(torch.zeros(1, 3, *shape))


@pytest.mark.parametrize(("backbone", "views"), [("hf_hub:any/thing", 1), ("efficientnet_lite0", 9)])
def test_scene_policy_refuses_an_impossible_configuration(backbone: str, views: int) -> None:
    with pytest.raises(ValueError, match=r"unknown|views"):
        ScenePolicy(ScenePolicyConfig(backbone=backbone, patch_px=5, views=views))
