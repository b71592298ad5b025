"""The network of the tabular loop: what is trained, and what a predictor builds again around the artifact's weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from gyre_train.encoder import Encoder


class Network(nn.Module):  # type: ignore[misc]
    """Embeddings beside numbers, then a multi-layer perceptron; one logit a row. `graph.py` writes the same as a graph."""

    def __init__(self, encoder: Encoder, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        sizes = [len(encoder.vocabulary[name]) + 1 for name in encoder.categorical]
        self.embeddings = nn.ModuleList(nn.Embedding(size, min(16, (size + 1) // 2)) for size in sizes)
        width = len(encoder.numeric) + len(encoder.flagged) + sum(layer.embedding_dim for layer in self.embeddings)
        layers: list[nn.Module] = []
        for wide in hidden:
            layers += [nn.Linear(width, wide), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
            width = wide
        self.head = nn.Sequential(*layers, nn.Linear(width, 1))

    def forward(self, numbers: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        parts = [layer(places[:, index]) for index, layer in enumerate(self.embeddings)]
        return self.head(torch.cat([numbers, *parts], dim=1)).squeeze(1)
