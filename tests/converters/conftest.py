"""One thread for torch, since its small kernels would wait for cores; files that many convert."""

from pathlib import Path

import pytest
import torch
from samples import trained


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
