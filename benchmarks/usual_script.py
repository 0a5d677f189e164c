"""The conversion script that one finds everywhere, to measure against. Do not use it.

It loads with torch, renames two suffixes, transposes whatever has two axes, and saves with Paddle:
square or not, Linear or not, aliases stored twice, nothing checked.
"""

import sys

import paddle
import torch

state = torch.load(sys.argv[1], map_location="cpu", weights_only=True)
state = state.get("state_dict", state)
renamed = {}
for key, value in state.items():
    name = key.replace("running_mean", "_mean").replace("running_var", "_variance")
    if "num_batches_tracked" not in name:
        array = value.numpy()
        renamed[name] = paddle.to_tensor(array.T if array.ndim == 2 else array)
paddle.save(renamed, sys.argv[2])
