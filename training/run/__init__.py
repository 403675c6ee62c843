"""The training run: recipe, folder, data splits, batches, the training loop and checkpoints."""
