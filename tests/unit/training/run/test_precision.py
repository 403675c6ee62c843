"""bf16 is for devices that compute it: elsewhere it is emulated, many times as slow as fp32."""

import pytest
import torch

from training.run.precision import inference_precision, training_precision
from training.run.provenance import hardware

CPU = torch.device("cpu")


def product_on(monkeypatch, capabilities, precision):
    """dtype of a product of two fp32 matrices under `precision()`, on a CPU that can do `capabilities`."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    with precision():
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def training(wanted):
    return lambda: training_precision(CPU, bf16_on_cpu=wanted)


@pytest.mark.parametrize("instruction", ["avx512_bf16", "amx_bf16", "bf16"])
def test_a_cpu_that_computes_bf16_uses_it(monkeypatch, instruction):
    able = {"avx2": True, instruction: True}
    assert product_on(monkeypatch, able, lambda: inference_precision(CPU)) == torch.bfloat16
    assert product_on(monkeypatch, able, training(True)) == torch.bfloat16
    assert product_on(monkeypatch, able, training(False)) == torch.float32


def test_a_cpu_without_stays_in_fp32(monkeypatch):
    unable = {"avx2": True, "avx512_bf16": False, "amx_bf16": False}
    assert product_on(monkeypatch, unable, lambda: inference_precision(CPU)) == torch.float32
    assert product_on(monkeypatch, unable, training(True)) == torch.float32


def test_the_hardware_in_a_report_says_so(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert hardware(CPU).endswith("without bf16)")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert "bf16" not in hardware(CPU)
