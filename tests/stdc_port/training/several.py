"""Trainings in processes of their own, several together over gloo as a launcher starts them."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from multiprocessing.process import BaseProcess
from typing import Any

from stdc_port.training.recipe import Recipe, load_recipe

CONTEXT: Any = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["stdc_port.training.trainer"])

#: Steps of the tiny training.
ITERATIONS = 4


def tiny_recipe(*overrides: str) -> Recipe:
    """Four steps on crops of 32 × 32."""
    tiny = ("data.crop=[32, 32]", f"train.iterations={ITERATIONS}", "rate.warmup_iterations=1")
    return load_recipe("generated", [*tiny, *overrides])


def start(count: int, work: Callable[..., None], *arguments: object) -> list[BaseProcess]:
    """Start a work in several processes, forked from one that has Paddle loaded."""
    ports = _free_ports(count + 1)
    processes = [
        CONTEXT.Process(target=_begin, args=(rank, ports, work, arguments)) for rank in range(count)
    ]
    for process in processes:
        process.start()
    return processes


def ends(processes: Sequence[BaseProcess], seconds: float = 120) -> list[int | None]:
    """Wait for all; their exit codes, None where one hangs (which is then killed)."""
    for process in processes:
        process.join(seconds)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    return codes


def _begin(rank: int, ports: Sequence[int], work: Callable[..., None], arguments: Any) -> None:
    """Leave in the environment what the launcher leaves there."""
    endpoints = [f"127.0.0.1:{port}" for port in ports]
    os.environ |= {
        "PADDLE_MASTER": endpoints[0],
        "PADDLE_TRAINER_ENDPOINTS": ",".join(endpoints[1:]),
        "PADDLE_CURRENT_ENDPOINT": endpoints[1 + rank],
        "PADDLE_TRAINER_ID": str(rank),
        "PADDLE_TRAINERS_NUM": str(len(ports) - 1),
        "PADDLE_DISTRI_BACKEND": "gloo",
    }
    work(*arguments)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]
