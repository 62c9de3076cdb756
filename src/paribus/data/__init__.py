"""Where examples come from, how they are split and scaled, and how they are corrupted on purpose. NumPy only."""
