"""Files that many tests convert."""

from pathlib import Path

import pytest
import torch
from samples import trained


@pytest.fixture(scope="session")
def classifier(tmp_path_factory) -> Path:
    """Return a classifier's file as the authors publish them, in half precision to be small."""
    path = tmp_path_factory.mktemp("source") / "STDCNet813M_73.91.tar"
    state = trained("stdc1", num_classes=4).half().state_dict()
    content = {"state_dict": state, "epoch": 5, "best_top1": 73.91}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture(scope="session")
def lacking(tmp_path_factory) -> Path:
    """Return a file with a tensor too few and one too many."""
    path = tmp_path_factory.mktemp("lacking") / "a.pth"
    state = trained("stdc1", num_classes=4).half().state_dict()
    state["extra"] = state.pop("fc.weight")
    torch.save(state, path)
    return path
