"""Modules as users write them."""

from __future__ import annotations

import blocks
import torch
from torch import nn
from torch.nn import functional


class LeNet(nn.Module):
    def __init__(self, width: int = 6, classes: int = 10, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 5, padding=2)
        self.conv2 = nn.Conv2d(width, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.fc1(x.flatten(1)))
        return self.fc3(self.dropout(torch.relu(self.fc2(x))))


class Blocks(nn.Module):
    """Blocks of convolution, batch normalisation and ReLU, each halving the image, and a linear layer."""

    def __init__(self, widths: list[int], classes: int = 10) -> None:
        super().__init__()
        pairs = zip([1, *widths], widths, strict=False)
        self.blocks = nn.Sequential(*[blocks.Block(a, b) for a, b in pairs])
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.blocks(x).mean(dim=(2, 3)))


class Table(nn.Module):
    def __init__(self, features: int, outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Squeeze(nn.Module):
    """A convolutional autoencoder: what it gives has its input's shape."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 4, stride=4)
        self.up = nn.ConvTranspose2d(4, 1, 4, stride=4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(torch.relu(self.down(x)))
