"""The port of `tagger_torch.py`."""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

WORDS, WIDTH, HIDDEN, TAGS = 12, 12, 6, 5


class Tagger(nn.Layer):
    """Embedding, a GRU, a bidirectional LSTM of two layers, a tag a token and one a sentence."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.reader = nn.GRU(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(2 * WIDTH)
        self.mix = nn.Linear(2 * WIDTH, WIDTH)
        self.slope = nn.PReLU(WIDTH)
        self.lstm = nn.LSTM(WIDTH, HIDDEN, num_layers=2, direction="bidirect")
        self.project = nn.Linear(2 * HIDDEN, 2 * HIDDEN)
        self.tags = nn.Linear(2 * HIDDEN, TAGS)
        self.sentence = nn.Linear(2 * HIDDEN, 3)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        """Map tokens (N, T) to log-probabilities of tags (N, T, 5) and of sentences (N, 3)."""
        words = self.words(tokens)
        read, _ = self.reader(words)
        mixed = self.mix(self.norm(paddle.concat([words, read], axis=2)))
        # PReLU takes the channels from axis 1.
        mixed = self.slope(mixed.transpose([0, 2, 1])).transpose([0, 2, 1])
        out, (last, _) = self.lstm(mixed)
        ends = paddle.concat([last[-2], last[-1]], axis=1)
        hidden = F.elu(self.project(out))
        return {
            "tags": F.log_softmax(self.tags(hidden), axis=2),
            "sentence": F.log_softmax(self.sentence(ends), axis=1),
        }


def build() -> Tagger:
    """Build the network."""
    return Tagger()


def loss(found: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Mean over the tagged tokens of labels (N, T), −100 ignored, plus half the sentence's."""
    # Paddle divides by all tokens where the ignored label is negative.
    counted = paddle.where(labels == -100, paddle.full_like(labels, 255), labels)
    # cross_entropy, not nll_loss, which corrupts the heap where a label is ignored (CPU, 3.3.1).
    tags = F.cross_entropy(found["tags"], counted, ignore_index=255)
    return tags + 0.5 * F.cross_entropy(found["sentence"], labels[:, 0].clip(0, 2))


def training(network: nn.Layer) -> tuple[Any, Any]:
    """Adagrad with decay; the rate halves every second step."""
    schedule = paddle.optimizer.lr.StepDecay(0.01, step_size=2, gamma=0.5)
    optimizer = paddle.optimizer.Adagrad(
        schedule, epsilon=1e-10, parameters=network.parameters(), weight_decay=0.01
    )
    return optimizer, schedule


def update(_: nn.Layer, optimizer: Any, schedule: Any) -> None:
    """Use the gradients, and go on to the next step."""
    optimizer.step()
    schedule.step()
    optimizer.clear_grad()
