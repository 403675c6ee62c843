"""Decides which high-resolution patches to buy, and accounts for what was bought."""

import os

# Read once, when torch loads its OpenMP runtime. By default a thread of torch that waits for another spins;
# where PostgreSQL, decoding children or other programs want the same cores, it then takes the time from
# the very thread it waits for. Waiting asleep costs a few per cent on an idle machine.
# Figures: tests/benchmarks/inference_under_load.py.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
