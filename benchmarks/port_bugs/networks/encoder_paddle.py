"""The port of `encoder_torch.py`."""

from __future__ import annotations

import math
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

WIDTH, HEADS, WORDS, LENGTH = 16, 4, 16, 9


class Attention(nn.Layer):
    """Attention written out: one matrix a role."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def split(self, x: Tensor) -> Tensor:
        """Map (N, T, D) to (N, H, T, D/H)."""
        return x.reshape([x.shape[0], x.shape[1], HEADS, WIDTH // HEADS]).transpose([0, 2, 1, 3])

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Map (N, T, D) to the same; seen (N, 1, 1, T) tells which tokens count."""
        query, key, value = (self.split(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose([0, 1, 3, 2]) / math.sqrt(WIDTH // HEADS)
        scores = paddle.where(seen, scores, paddle.full_like(scores, -1e9))
        mixed = F.softmax(scores, axis=-1) @ value
        return self.out(mixed.transpose([0, 2, 1, 3]).reshape(x.shape))


class Layer(nn.Layer):
    """Attention and a small network, each behind a norm and beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, epsilon=1e-6)
        self.attention = Attention()
        self.norm2 = nn.LayerNorm(WIDTH, epsilon=1e-6)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """Map (N, T, D) to the same."""
        x = x + self.attention(self.norm1(x), seen)
        inner = F.gelu(self.up(self.norm2(x)), approximate=True)
        return x + self.down(F.dropout(inner, 0.0, training=self.training))


class Encoder(nn.Layer):
    """Embedding, three layers, the library's attention over a causal mask, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.positions = self.create_parameter([1, LENGTH, WIDTH])
        self.layers = nn.LayerList([Layer(), Layer(), Layer()])
        self.mixing = nn.MultiHeadAttention(WIDTH, HEADS)
        self.norm = nn.LayerNorm(WIDTH)
        self.hidden = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens (N, T) to logits (N, 5); token 0 is padding."""
        seen = (tokens != 0)[:, None, None, :]
        x = self.words(tokens) + self.positions[:, : tokens.shape[1]]
        for layer in self.layers:
            x = layer(x, seen)
        # True keeps in Paddle.
        past = paddle.ones([x.shape[1], x.shape[1]], dtype="bool").tril()
        x = x + self.mixing(x, x, x, attn_mask=past)
        return self.head(paddle.tanh(self.hidden(self.norm(x)[:, 0])))


def build() -> Encoder:
    """Build the network."""
    return Encoder()


def loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits (N, 5) on labels (N,), smoothed."""
    return F.cross_entropy(logits, labels, label_smoothing=0.1)


def training(network: nn.Layer) -> tuple[Any, Any]:
    """AdamW without decay on vectors; linear warm-up, then a cosine."""
    named = list(network.named_parameters())
    groups = [
        {"params": [p for _, p in named if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for _, p in named if p.ndim == 1], "weight_decay": 0.0},
    ]
    factors = [*((t + 1) / 4 for t in range(4)), *(math.cos(t / 8) for t in range(20))]
    schedule = paddle.optimizer.lr.LambdaDecay(0.01, lambda t: factors[t])
    optimizer = paddle.optimizer.AdamW(
        schedule, beta1=0.9, beta2=0.95, epsilon=1e-8, parameters=groups
    )
    return optimizer, schedule


def update(network: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    # The optimizer's own clipping takes the norm of each group alone.
    nn.utils.clip_grad_norm_(network.parameters(), 0.5)
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
