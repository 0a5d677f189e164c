"""A recurrent tagger, trained by Adagrad; `tagger_paddle.py` is its port.

N: batch, T: tokens.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WORDS, WIDTH, HIDDEN, TAGS = 12, 12, 6, 5


class Tagger(nn.Module):
    """Embedding, a GRU, a bidirectional LSTM of two layers, a tag a token and one a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.reader = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.norm = nn.LayerNorm(2 * WIDTH)
        self.mix = nn.Linear(2 * WIDTH, WIDTH)
        self.slope = nn.PReLU(WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, num_layers=2, bidirectional=True, batch_first=True)
        self.project = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.tags = nn.Linear(2 * HIDDEN, TAGS)
        self.sentence = nn.Linear(2 * HIDDEN, 3)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        """Map tokens (N, T) to log-probabilities of tags (N, T, 5) and sentences (N, 3)."""
        words = self.words(tokens)
        read, _ = self.reader(words)
        mixed = self.mix(self.norm(torch.cat([words, read], dim=2)))
        # PReLU takes the channels from axis 1.
        mixed = self.slope(mixed.transpose(1, 2)).transpose(1, 2)
        out, (last, _) = self.lstm(mixed)
        ends = torch.cat([last[-2], last[-1]], dim=1)
        hidden = F.elu(self.project(out))
        return {
            "tags": F.log_softmax(self.tags(hidden), dim=2),
            "sentence": F.log_softmax(self.sentence(ends), dim=1),
        }


def build() -> Tagger:
    """Build the network."""
    return Tagger()


def loss(found: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Mean over the tagged tokens of labels (N, T), −100 ignored, plus half the sentence's."""
    tags = F.cross_entropy(found["tags"].transpose(1, 2), labels, ignore_index=-100)
    return tags + 0.5 * F.cross_entropy(found["sentence"], labels[:, 0].clamp(0, 2))


def training(network: nn.Module) -> tuple[Any, Any]:
    """Adagrad with decay; the rate halves every second step."""
    optimizer = torch.optim.Adagrad(network.parameters(), lr=0.01, eps=1e-10, weight_decay=0.01)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


def update(_: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
