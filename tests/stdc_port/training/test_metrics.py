"""Figures against a plain count."""

from __future__ import annotations

import json
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdc_port.training.metrics import Evaluation, confusion


@given(seed=st.integers(0, 2**31), classes=st.integers(1, 6))
def test_iou_agrees_with_sets_of_pixels(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, 60)
    labels[rng.random(60) < 0.2] = 255
    predicted = rng.integers(0, classes, 60)
    names = tuple(map(str, range(classes)))
    result = Evaluation(confusion(labels, predicted, classes), 1, (1.0,), names)
    counted = set(np.flatnonzero(labels != 255).tolist())
    wanted = []
    for train_id in range(classes):
        here = set(np.flatnonzero(labels == train_id).tolist())
        said = set(np.flatnonzero(predicted == train_id).tolist()) & counted
        if here:
            wanted.append(len(here & said) / len(here | said))
    assert result.miou == pytest.approx(np.mean(wanted)) if wanted else isnan(result.miou)


def test_absent_classes_are_listed_and_in_no_mean() -> None:
    matrix = confusion(np.array([0, 0, 1, 255]), np.array([0, 2, 1, 0]), 4)
    result = Evaluation(matrix, 1, (0.5,), ("a", "b", "c", "d"))
    assert result.miou == pytest.approx((0.5 + 1.0) / 2)
    assert result.absent == ("c", "d")
    plain = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert plain["iou"]["d"] is None


def test_nothing_labelled_is_no_figure() -> None:
    result = Evaluation(confusion(np.full(5, 255), np.zeros(5, int), 2), 1, (1.0,), ("a", "b"))
    assert isnan(result.miou)
    assert isnan(result.accuracy)
