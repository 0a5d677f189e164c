"""Modules whose forward is a function of themselves and their inputs."""

from __future__ import annotations

from typing import Any

import paddle
import torch


class Torch(torch.nn.Module):
    def __init__(self, body: Any, **children: Any) -> None:
        super().__init__()
        self.body = body
        for name, child in children.items():
            self.add_module(name, child)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.body(self, *args, **kwargs)


class Paddle(paddle.nn.Layer):
    def __init__(self, body: Any, **children: Any) -> None:
        super().__init__()
        self.body = body
        for name, child in children.items():
            self.add_sublayer(name, child)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.body(self, *args, **kwargs)
