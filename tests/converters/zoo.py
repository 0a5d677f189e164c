"""A network of every plain layer kind, in both frameworks, and small ones for one test."""

import paddle
import torch


class TorchZoo(torch.nn.Module):
    """One of every layer kind, two of them shared, and a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(6, 6)
        self.square = torch.nn.Linear(6, 6)
        self.again = self.square
        self.norm = torch.nn.LayerNorm(6)
        self.conv = torch.nn.Conv2d(1, 4, 3, padding=1)
        self.bn = torch.nn.BatchNorm2d(4)
        self.bn_again = self.bn
        self.group = torch.nn.GroupNorm(2, 4)
        self.up = torch.nn.ConvTranspose2d(4, 4, 2, stride=2, groups=2)
        self.line = torch.nn.Conv1d(4, 4, 3, bias=False)
        self.scale = torch.nn.Parameter(torch.ones(4, 4))
        self.blocks = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())

    def forward(self, tokens):
        x = self.again(torch.tanh(self.square(self.embedding(tokens))))
        x = self.bn_again(self.bn(self.conv(self.norm(x)[:, None])))
        x = self.up(self.group(x)).flatten(2)
        x = self.line(x).mean(2) @ self.scale
        return self.blocks(x)


class PaddleZoo(paddle.nn.Layer):
    """The same network."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = paddle.nn.Embedding(6, 6)
        self.square = paddle.nn.Linear(6, 6)
        self.again = self.square
        self.norm = paddle.nn.LayerNorm(6)
        self.conv = paddle.nn.Conv2D(1, 4, 3, padding=1)
        self.bn = paddle.nn.BatchNorm2D(4)
        self.bn_again = self.bn
        self.group = paddle.nn.GroupNorm(2, 4)
        self.up = paddle.nn.Conv2DTranspose(4, 4, 2, stride=2, groups=2)
        self.line = paddle.nn.Conv1D(4, 4, 3, bias_attr=False)
        self.scale = self.create_parameter((4, 4))
        self.blocks = paddle.nn.Sequential(paddle.nn.Linear(4, 3), paddle.nn.ReLU())

    def forward(self, tokens):
        x = self.again(paddle.tanh(self.square(self.embedding(tokens))))
        x = self.bn_again(self.bn(self.conv(self.norm(x)[:, None])))
        x = self.up(self.group(x)).flatten(2)
        x = self.line(x).mean(2) @ self.scale
        return self.blocks(x)


def holding(**children: object):
    """Return a torch or Paddle network with the given layers."""
    kind = (
        torch.nn.Module
        if isinstance(next(iter(children.values())), torch.nn.Module)
        else (paddle.nn.Layer)
    )
    network = kind()
    for name, child in children.items():
        setattr(network, name, child)
    return network
