"""The figures are those of cityscapesScripts' evaluator, on the same predictions."""

from __future__ import annotations

from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as scripts  # noqa: N813
from cityscapesscripts.helpers.labels import labels as scripts_labels

from stdc_port.training.cityscapes import find_pairs, read_labels
from stdc_port.training.labels import IGNORE, LABELS
from stdc_port.training.metrics import Evaluation, confusion
from stdc_port.training.prediction import Frame, claim, predict_frames


@pytest.fixture(scope="module", params=[("all", 0.3), ("labelled alone", 0.3), ("all", 0.0)])
def both(
    request: pytest.FixtureRequest, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Evaluation, dict[str, Any]]:
    """Our figures and theirs, of label maps that `predict` wrote, a share of them wrong."""
    kinds, wrong = request.param
    output = tmp_path_factory.mktemp("predicted")
    rng = np.random.default_rng(11)
    pairs = find_pairs(scenes, "train")
    here = np.unique(np.concatenate([read_labels(pair).ravel() for pair in pairs]))
    pool = np.arange(19) if kinds == "all" else here[here != IGNORE]
    matrix = np.zeros((19, 19), np.int64)
    for pair in pairs:
        labels = read_labels(pair)
        guessed = rng.choice(pool, labels.shape)
        keep = (rng.random(labels.shape) >= wrong) & (labels != IGNORE)
        predicted = np.where(keep, labels, guessed).astype(np.uint8)
        frame = Frame(pair.image, Path(pair.name).with_suffix(".png"))
        claim(output / pair.name, [frame], {}, force=False)
        predict_frames(lambda _, found=predicted: found, [frame], output / pair.name)
        matrix += confusion(labels, predicted, 19)
    scripts.args.predictionPath = scripts.args.predictionWalk = None
    scripts.args.evalInstLevelScore = scripts.args.JSONOutput = False
    scripts.args.quiet = True
    written = [next((output / p.name / "labelIds").glob("*.png")) for p in pairs]
    truth = [str(pair.labels) for pair in pairs]
    theirs = scripts.evaluateImgLists([str(path) for path in written], truth, scripts.args)
    return Evaluation(matrix, len(pairs), (1.0,)), theirs


def test_the_iou_of_every_class_is_theirs(both: tuple[Evaluation, dict[str, Any]]) -> None:
    ours, theirs = both
    assert not isnan(ours.miou)
    for name, value in zip(ours.names, ours.iou.tolist(), strict=True):
        wanted = theirs["classScores"][name]
        assert value == wanted or (isnan(value) and isnan(wanted)), name


def test_the_mean_is_theirs(both: tuple[Evaluation, dict[str, Any]]) -> None:
    ours, theirs = both
    assert ours.miou_of_scripts == theirs["averageScoreClasses"]
    if not ours.absent or ours.matrix[:, ~ours.present].sum() == 0:
        assert ours.miou == pytest.approx(theirs["averageScoreClasses"], rel=1e-14)
    else:  # they count a class that is absent but predicted as 0
        assert ours.miou > theirs["averageScoreClasses"]


def test_the_label_table_is_theirs() -> None:
    table = {row.id: (row.name, row.trainId, row.color) for row in scripts_labels if row.id >= 0}
    assert table == {row.id: (row.name, row.train_id, row.colour) for row in LABELS}
