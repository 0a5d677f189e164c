"""A transformer encoder over tokens, trained by AdamW; `encoder_paddle.py` is its port.

N: batch, T: tokens, D: width, H: heads.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, WORDS, LENGTH = 16, 4, 16, 9


class Attention(nn.Module):
    """Attention written out: one matrix a role."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def split(self, x: Tensor) -> Tensor:
        """Map (N, T, D) to (N, H, T, D/H)."""
        return x.reshape(x.shape[0], x.shape[1], HEADS, WIDTH // HEADS).transpose(1, 2)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Map (N, T, D) to the same; seen (N, 1, 1, T) tells which tokens count."""
        query, key, value = (self.split(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) / math.sqrt(WIDTH // HEADS)
        scores = scores.masked_fill(~seen, -1e9)
        mixed = F.softmax(scores, dim=-1) @ value
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class Layer(nn.Module):
    """Attention and a small network, each behind a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Map (N, T, D) to the same."""
        x = x + self.attention(self.norm1(x), seen)
        inner = F.gelu(self.up(self.norm2(x)), approximate="tanh")
        return x + self.down(F.dropout(inner, 0.0, self.training))


class Encoder(nn.Module):
    """Embedding, three layers, the library's attention over a causal mask, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.positions = nn.Parameter(torch.zeros(1, LENGTH, WIDTH))
        self.layers = nn.ModuleList([Layer(), Layer(), Layer()])
        self.mixing = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.norm = nn.LayerNorm(WIDTH)
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (N, T) to logits (N, 5); token 0 is padding."""
        seen = (tokens != 0)[:, None, None, :]
        x = self.words(tokens) + self.positions[:, : tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, seen)
        future = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = x + self.mixing(x, x, x, attn_mask=future, need_weights=False)[0]
        return self.head(torch.tanh(self.hidden(self.norm(x)[:, 0])))


def build() -> Encoder:
    """Build the network."""
    return Encoder()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 5) on labels (N,), smoothed."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def training(network: nn.Module) -> tuple[Any, Any]:
    """AdamW without decay on vectors; linear warm-up, then a cosine."""
    named = list(network.named_parameters())
    groups = [
        {"params": [p for _, p in named if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for _, p in named if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    factors = [*((t + 1) / 4 for t in range(4)), *(math.cos(t / 8) for t in range(20))]
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: factors[t])


def update(network: nn.Module, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    nn.utils.clip_grad_norm_(network.parameters(), 0.5)
    optimizer.step()
    schedule.step()
    optimizer.zero_grad()
