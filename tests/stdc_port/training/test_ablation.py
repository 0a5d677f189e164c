"""Means, spreads and the plot of both arms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from stdc_port.training.ablation import Ablation, Arm, draw


def ablation(with_it: list[float], without: list[float]) -> Ablation:
    arms = [
        Arm(seed, pretrained, miou, 0.5)
        for pretrained, mious in ((True, with_it), (False, without))
        for seed, miou in enumerate(mious)
    ]
    return Ablation(tuple(arms), 120, "converted.pdparams")


def test_mean_and_spread_over_the_seeds() -> None:
    result = ablation([0.2, 0.24, 0.22], [0.1, 0.12, 0.11])
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["miou_pretrained"] == pytest.approx(0.22)
    assert plain["miou_pretrained_spread"] == pytest.approx(0.02)
    assert plain["gap"] == pytest.approx(0.11)
    assert plain["gap_spread"] == pytest.approx(0.01)
    assert result.helps
    console = Console(record=True, width=100)
    console.print(result)
    assert "standard deviation" in console.export_text()


def test_one_seed_behind_is_no_help() -> None:
    assert not ablation([0.2, 0.1], [0.1, 0.12]).helps


def test_a_single_seed_has_no_spread(tmp_path: Path) -> None:
    result = ablation([0.2], [0.1])
    assert result.to_json()["gap_spread"] is None
    draw(tmp_path / "plot.png", result)
    with Image.open(tmp_path / "plot.png") as picture:
        assert picture.format == "PNG"
