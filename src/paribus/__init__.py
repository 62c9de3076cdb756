"""paribus: controlled training studies of small neural networks, all else equal."""

__version__ = "0.1.0"
