"""Stacked tensors on an accelerator, with PyTorch: the only part of training that imports it."""
