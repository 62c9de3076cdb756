"""Where images come from, how they are split, and how they are corrupted on purpose. NumPy only."""
