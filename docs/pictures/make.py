"""``python docs/pictures/make.py runs/demo``: the README's pictures, from a run of the demo."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from stdc_port.training.cityscapes import Pair, find_pairs, read_pair
from stdc_port.training.inference import load_network, predict
from stdc_port.training.labels import COLOUR_OF_TRAIN_ID, NUM_CLASSES
from stdc_port.training.prediction import overlay
from stdc_port.training.recipe import load_recipe

SHOWN, GAP, COLOURS = 3, 4, 160
# Unlabelled pixels are black.
PALETTE = np.zeros((256, 3), np.uint8)
PALETTE[:NUM_CLASSES] = COLOUR_OF_TRAIN_ID


def main(run: Path) -> None:
    """Draw some validation scenes of a run: picture, labels, prediction over the picture."""
    folder = run / "finetune"
    recipe = load_recipe(str(folder / "recipe.json"))
    network = load_network(folder / "model.pdparams", recipe.model)

    def row(pair: Pair) -> np.ndarray:
        image, labels = read_pair(pair)
        found = predict(
            network,
            image,
            scale=recipe.evaluation.scale,
            normalisation=recipe.data.normalisation(),
        )
        parts = (np.asarray(image), PALETTE[labels], np.asarray(overlay(image, found, share=0.6)))
        return np.hstack(
            [np.pad(part, ((0, GAP), (0, GAP), (0, 0)), constant_values=255) for part in parts]
        )

    pairs = find_pairs(run / "scenes", "val")
    rows = np.vstack([row(pair) for pair in pairs[:: len(pairs) // SHOWN][:SHOWN]])
    picture = Image.fromarray(rows[:-GAP, :-GAP]).quantize(COLOURS)
    picture.save(Path(__file__).with_name("predictions.png"), optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
