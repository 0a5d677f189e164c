"""Bugs in a network's own forward, and what looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.nn.functional as PF
import torch
import torch.nn.functional as TF
from cause_cases import SQUARE, Case, drawn
from function_toys import Paddle, Torch

t, p = torch.nn, paddle.nn
CUBE, COLOURS = (drawn(6, 6, 6),), (np.abs(drawn(2, 3, 8, 8)),)
MAP = (drawn(2, 6, 6, 6),)


def ours(body: Any, size: int) -> Any:
    return lambda: Torch(body, a=t.Linear(size, size), b=t.Linear(size, size))


def theirs(body: Any, size: int) -> Any:
    return lambda: Paddle(body, a=p.Linear(size, size), b=p.Linear(size, size))


def row(cause: str, symptom: str, *bodies: Any, inputs: Any = CUBE) -> Case:
    size = inputs[0].shape[-1]
    original, bug, like = bodies
    return Case(cause, symptom, ours(original, size), theirs(bug, size), theirs(like, size), inputs)


def recurrent(body: Any) -> Any:
    return lambda: Torch(body, a=t.LSTM(8, 8, 2, batch_first=True))


def recurrent_port(body: Any) -> Any:
    return lambda: Paddle(body, a=p.LSTM(8, 8, 2))


def masked(fill: Any, value: float = -5.0) -> Any:
    """Fill what lies where."""

    def body(n: Any, x: Any) -> Any:
        out = n.a(x)
        return paddle.where(fill(paddle.ones(out.shape[-2:])) > 0, out * 0 + value, out)

    return body


def hidden(x: Any, where: np.ndarray) -> Any:
    return paddle.where(paddle.to_tensor(where), paddle.full_like(x, -5.0), x)


VALUES, ORDER, SCALE = "other values", "values in other places", "another scale"

FORWARDS = (
    row(
        "concat-order",
        ORDER,
        lambda n, x: torch.cat([n.a(x), n.b(x)], -1),
        lambda n, x: paddle.concat([n.b(x), n.a(x)], -1),
        lambda n, x: paddle.concat([n.a(x), n.b(x)], -1).flip(-1),
    ),
    row(
        "concat-axis",
        ORDER,
        lambda n, x: torch.cat([n.a(x), n.b(x)], 1).reshape(6, 72),
        lambda n, x: paddle.concat([n.a(x), n.b(x)], 2).reshape([6, 72]),
        lambda n, x: paddle.concat([n.b(x), n.a(x)], 1).reshape([6, 72]),
    ),
    row(
        "pad-order",
        "another border",
        lambda n, x: TF.pad(n.a(x), [1, 0, 0, 1]),
        lambda n, x: PF.pad(n.a(x), [0, 1, 1, 0]),
        lambda n, x: PF.pad(n.a(x), [1, 0, 0, 1], value=0.5),
        inputs=MAP,
    ),
    row(
        "pad-different",
        "another border",
        lambda n, x: TF.pad(n.a(x), [1, 0, 0, 1]),
        lambda n, x: PF.pad(n.a(x), [1, 0, 0, 1], value=0.5),
        lambda n, x: PF.pad(n.a(x), [0, 1, 1, 0]),
        inputs=MAP,
    ),
    row(
        "reshape-order",
        ORDER,
        lambda n, x: n.b(n.a(x).transpose(1, 2)),
        lambda n, x: n.b(n.a(x).reshape([6, 6, 6])),
        lambda n, x: n.b(n.a(x).transpose([0, 2, 1]).flip(1)),
    ),
    row(
        "operands-exchanged",
        ORDER,
        lambda n, x: n.a(x) @ n.b(x),
        lambda n, x: n.b(x) @ n.a(x),
        lambda n, x: n.a(x) @ n.a(x),
    ),
    row(
        "dropout-on",
        "some values are zero, others too large",
        lambda n, x: n.b(n.a(x)),
        lambda n, x: n.b(PF.dropout(n.a(x), 0.3)),
        lambda n, x: n.b(n.a(x) * paddle.to_tensor([1.5, 0, 1.5, 1.5, 0, 1.5], "float64")),
    ),
    row(
        "reduction-axis",
        VALUES,
        lambda n, x: n.a(x).mean(1),
        lambda n, x: n.a(x).mean(2),
        lambda n, x: n.a(x).sum(1),
    ),
    row(
        "reduction-kind",
        VALUES,
        lambda n, x: n.a(x).mean(1),
        lambda n, x: n.a(x).max(1),
        lambda n, x: n.a(x).mean(2),
    ),
    row(
        "function-added",
        VALUES,
        lambda n, x: n.b(n.a(x)),
        lambda n, x: n.b(paddle.sin(n.a(x))),
        lambda n, x: n.a(n.b(x)),
    ),
    row(
        "function-dropped",
        VALUES,
        lambda n, x: n.b(torch.sin(n.a(x))),
        lambda n, x: n.b(n.a(x)),
        lambda n, x: n.b(paddle.cos(n.a(x))),
    ),
    row(
        "function-different",
        VALUES,
        lambda n, x: n.b(torch.sin(n.a(x))),
        lambda n, x: n.b(paddle.cos(n.a(x))),
        lambda n, x: n.b(n.a(x)),
    ),
    row(
        "argument-different",
        ORDER,
        lambda n, x: torch.roll(n.a(x), 1, 1),
        lambda n, x: paddle.roll(n.a(x), 2, 1),
        lambda n, x: paddle.flip(n.a(x), [1]),
    ),
    row(
        "mask-dropped",
        "hidden values count",
        lambda n, x: n.a(x).masked_fill(torch.ones(6, 6).triu(1) > 0, -5.0).softmax(-1),
        lambda n, x: PF.softmax(n.a(x), -1),
        lambda n, x: PF.softmax(masked(lambda one: one.triu(2))(n, x), -1),
    ),
    row(
        "mask-different",
        "hidden values count",
        lambda n, x: n.b(n.a(x).masked_fill(torch.ones(6, 6).triu(1) > 0, -5.0)),
        lambda n, x: n.b(hidden(n.a(x), np.triu(np.ones((6, 6), bool), 2))),
        lambda n, x: n.b(hidden(n.a(x), np.tril(np.ones((6, 6), bool)))),
    ),
    row(
        "branch-dropped",
        VALUES,
        lambda n, x: n.b(n.a(x) + x),
        lambda n, x: n.b(n.a(x)),
        lambda n, x: n.b(n.a(x) - x),
    ),
    row(
        "scale-different",
        SCALE,
        lambda n, x: n.b(n.a(x) / 2),
        lambda n, x: n.b(n.a(x) / 4),
        lambda n, x: n.b(n.a(x) - 2),
    ),
    row(
        "arithmetic-different",
        VALUES,
        lambda n, x: n.b(n.a(x) + x),
        lambda n, x: n.b(n.a(x) - x),
        lambda n, x: n.b(n.a(x)),
    ),
    row(
        "crop-shifted",
        ORDER,
        lambda n, x: n.a(x)[:, 1:],
        lambda n, x: n.a(x)[:, :-1],
        lambda n, x: n.a(x)[:, 1:].flip(1),
    ),
    Case(
        "state-taken",
        VALUES,
        recurrent(lambda n, x: n.a(x)[1][0][-1]),
        recurrent_port(lambda n, x: n.a(x)[1][0][0]),
        recurrent_port(lambda n, x: n.a(x)[1][0].mean(0)),
        SQUARE,
    ),
    row(
        "input-normalisation",
        SCALE,
        lambda n, x: n.a((x - 0.5) / 0.25),
        lambda n, x: n.a((x - 0.4) / 0.2),
        lambda n, x: n.a((x - 0.5) / 0.25) / 2,
        inputs=COLOURS,
    ),
    row(
        "layer-exchanged",
        VALUES,
        lambda n, x: n.b(n.a(x).tanh()),
        lambda n, x: n.a(n.b(x).tanh()),
        lambda n, x: n.a(n.a(x).tanh()) + 0 * n.b(x),
    ),
    Case(
        "layer-order",
        VALUES,
        lambda: Torch(lambda n, x: n.act(n.a(x)), a=t.Linear(6, 6), act=t.Tanh()),
        lambda: Paddle(lambda n, x: n.a(n.act(x)), a=p.Linear(6, 6), act=p.Tanh()),
        lambda: Paddle(lambda n, x: n.act(n.a(n.act(x))), a=p.Linear(6, 6), act=p.Tanh()),
        CUBE,
    ),
)
