"""bf16 is for devices that compute it: elsewhere it is emulated, many times as slow as fp32."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch

from tests.support.training import CPU
from training.run.machine import inference_precision, training_precision
from training.run.provenance import hardware

Precision = Callable[[], AbstractContextManager[None]]


def product_type(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], precision: Precision
) -> torch.dtype:
    """Return the type of a product of two fp32 matrices on a CPU with these capabilities."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with precision():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def inference() -> AbstractContextManager[None]:
    return inference_precision(CPU)


def training(*, wanted: bool) -> Precision:
    return lambda: training_precision(CPU, bf16_on_cpu=wanted)


@pytest.mark.parametrize("instruction", ["avx512_bf16", "amx_bf16", "bf16"])
def test_precision_is_bf16_on_a_cpu_that_computes_it(
    monkeypatch: pytest.MonkeyPatch, instruction: str
) -> None:
    able = {"avx2": True, instruction: True}
    assert product_type(monkeypatch, able, inference) == torch.bfloat16
    assert product_type(monkeypatch, able, training(wanted=True)) == torch.bfloat16
    assert product_type(monkeypatch, able, training(wanted=False)) == torch.float32


def test_precision_is_fp32_on_a_cpu_without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    unable = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
    assert product_type(monkeypatch, unable, inference) == torch.float32
    assert product_type(monkeypatch, unable, training(wanted=True)) == torch.float32


def test_hardware_marks_a_cpu_without_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert hardware(CPU).endswith("without bf16)")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert "bf16" not in hardware(CPU)
