"""Weights of a network to and from safetensors; nothing is ever unpickled."""

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from models.manifest import BundleError


def dump_weights(network: nn.Module) -> bytes:
    """Return the weights of a network as safetensors, kernels in fp16."""
    return save_tensors({key: _stored(value) for key, value in network.state_dict().items()})


def fill_weights(network: nn.Module, name: str, content: bytes) -> None:
    """Load the weights of the file `name` into a network, in float32.

    Raise BundleError unless they are finite and have exactly the network's names and shapes.
    """
    try:
        stored = load_tensors(content)  # never torch.load: a pickle runs code when it is read
        state = {key: _loaded(value) for key, value in stored.items()}
        network.load_state_dict(state, strict=True)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise BundleError(f"{name} does not hold the network that the manifest describes: {error}") from error


def _stored(value: Tensor) -> Tensor:
    kept = value.detach().cpu()
    if kept.is_floating_point():
        # Vectors (biases, batch norm) stay in fp32: a variance may leave the range of fp16.
        kept = kept.to(torch.float16 if kept.ndim > 1 else torch.float32)
    return kept.contiguous()  # safetensors refuses strided views, such as channels_last kernels


def _loaded(value: Tensor) -> Tensor:
    if not value.is_floating_point():
        return value
    single = value.to(torch.float32)
    # One NaN would make every utility NaN, and a comparison with NaN silently buys nothing.
    if not bool(torch.isfinite(single).all()):
        raise ValueError("A weight is not finite.")
    return single
