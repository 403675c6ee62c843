"""`python -m training` is `loupe-train`: what torchrun starts."""

from training.cli import app

app()
