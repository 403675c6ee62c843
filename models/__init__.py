"""The networks that training and serving share: pure torch, with tensors as inputs and outputs."""
