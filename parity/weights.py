"""Where weights cross over: torch's go through the converter into the paddle layer."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import converters
from converters.state_dict import converted_arrays, plan_state_dict
from converters.user_rules import UserRules
from parity.backends import backend_of
from parity.pair import renamed

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping


@dataclass(frozen=True)
class WeightDifference:
    """One tensor that is not what the converter would have written.

    Attributes:
        name: Its key in the paddle network.
        reason: What differs, with figures.
    """

    name: str
    reason: str


def transfer(
    torch_module: Any,
    paddle_layer: Any,
    rename: Mapping[str, str] | None = None,
    *,
    leave_out: Collection[str] = (),
    keep: Collection[str] = (),
    folded: Collection[str] = (),
) -> dict[str, np.ndarray]:
    """Convert a torch network's weights for a paddle network, in torch's own precision.

    A float64 torch network gives float64 tensors: a value that the converter computes, such as
    the folded scale of an in-place ABN, is then not rounded to float32 on its way (6e-8).

    Args:
        torch_module: Where the weights come from.
        paddle_layer: Whose layer kinds settle every layout; it is only read.
        rename: Torch path prefix to paddle path prefix, as in `check_parity`.
        leave_out: Torch layers, or keys, that are not carried over.
        keep: Paddle layers that no output depends on and torch does not have: their own weights
            are given back.
        folded: Norms that are an in-place ABN in torch, by their paths after renaming.

    Returns:
        Paddle's keys and their values, ready for `set_state_dict`.

    Raises:
        converters.RefusedError: A key is unaccounted for, or a shape disagrees; all are listed.
        converters.InputError: The paddle network holds a layer for which there is no rule.
    """
    return transfer_through(Keys(rename or {}, leave_out, keep, folded), torch_module, paddle_layer)


def transfer_through(keys: Keys, torch_module: Any, paddle_layer: Any) -> dict[str, np.ndarray]:
    """Convert weights as `transfer` does; of torch's network only the state dict is asked for."""
    kept = _Below(keys.keep)
    whole = paddle_arrays(paddle_layer) if keys.keep else {}
    plan, _ = keys.planned(torch_module, paddle_layer)
    converted = converted_arrays(plan)
    return {**{key: value for key, value in whole.items() if key in kept}, **converted}


@dataclass(frozen=True)
class Keys:
    """How torch's keys become paddle's; see `transfer` for the fields."""

    rename: Mapping[str, str]
    leave_out: Collection[str] = ()
    keep: Collection[str] = ()
    folded: Collection[str] = ()

    def planned(
        self, torch_module: Any, paddle_layer: Any
    ) -> tuple[converters.ConversionPlan, dict[str, str]]:
        """Plan the conversion of a torch network's weights.

        Returns:
            The plan, and torch's key by the key that the plan has for it.

        Raises:
            converters.RefusedError: Two layers get the same name.
            converters.InputError: The paddle network holds a layer for which there is no rule.
        """
        left_out = _Below(self.leave_out)
        state: dict[str, Any] = {}
        names: dict[str, str] = {}
        twice = []
        for key, value in torch_module.state_dict().items():
            if key not in left_out:
                name = renamed(key, self.rename)
                twice += [f"{key} would become {name}, as another does"] if name in state else []
                state[name], names[name] = value, key
        if twice:
            raise converters.RefusedError("two torch layers have one name in paddle:", tuple(twice))
        rules = rules_for(state, self.folded)
        with _without(paddle_layer, self.keep):
            return plan_state_dict(state, paddle_layer, origin="torch", rules=rules), names


def rules_for(state: Mapping[str, Any], folded: Collection[str] = ()) -> UserRules:
    """Tell the converter what the classes of the layers do not.

    Tensors of a network's own layers cross over as they are: whether that is right, is what a check
    of the outputs shows.

    Args:
        state: What is converted.
        folded: Norms that are an in-place ABN in torch, by path.
    """
    kinds = {re.escape(path): "inplace_abn" for path in folded}
    return UserRules.of(kinds=kinds, tensors={".*": "parameter"} if state else None)


def briefly(error: converters.ConverterError) -> str:
    """Say why the converter refuses in one line: the first of its problems, and how many."""
    problems = getattr(error, "problems", ())
    head = str(error).partition("\n")[0].rstrip(":")
    return f"{head}, first of all {problems[0]}" if problems else head


class _Below:
    """The keys that are among some paths, or lie below one."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths, self._prefixes = set(paths), tuple(f"{path}." for path in paths)

    def __contains__(self, key: str) -> bool:
        return key in self._paths or key.startswith(self._prefixes)


@contextmanager
def _without(paddle_layer: Any, paths: Collection[str]) -> Iterator[None]:
    """Take sublayers out of a network for as long as the context lasts."""
    layers = paddle_layer.sublayers(include_self=True)
    named = dict(paddle_layer.named_sublayers())
    gone = {id(named[path]) for path in paths if path in named}
    # Deleting attributes would be for good.
    before = [(layer._sub_layers, dict(layer._sub_layers)) for layer in layers]  # noqa: SLF001
    try:
        for children, all_of_them in before:
            for name, child in all_of_them.items():
                if id(child) in gone:
                    del children[name]
        yield
    finally:
        for children, all_of_them in before:
            children.clear()
            children.update(all_of_them)


def load(network: Any, tensors: Mapping[str, np.ndarray]) -> None:
    """Put tensors into a network of their framework, all of them.

    Raises:
        ValueError: A key is missing, unexpected, or of another shape; lists them.
    """
    if backend_of(network).name == "torch":
        _load_torch(network, tensors)
    else:
        _load_paddle(network, tensors)


def _load_torch(module: Any, tensors: Mapping[str, np.ndarray]) -> None:
    import torch

    state = {key: torch.from_numpy(value.copy()) for key, value in tensors.items()}
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        said = " ".join(lines)[:600]
        raise ValueError(f"the weights do not fit the torch network: {said}") from error


def _load_paddle(layer: Any, tensors: Mapping[str, np.ndarray]) -> None:
    import paddle

    target = layer.state_dict()
    wrong = [f"{key} is missing" for key in target if key not in tensors]
    wrong += [f"{key} is unexpected" for key in tensors if key not in target]
    wrong += [
        f"{key} has shape {list(tensors[key].shape)}, expected {list(value.shape)}"
        for key, value in target.items()
        if key in tensors and list(tensors[key].shape) != list(value.shape)
    ]
    if wrong:
        raise ValueError(f"the weights do not fit the paddle network: {'; '.join(wrong)[:600]}")
    with paddle.no_grad():
        for key, value in target.items():
            value.set_value(tensors[key].astype(_dtype_name(value)))


def differences(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]
) -> tuple[WeightDifference, ...]:
    """Compare two sets of weights bit for bit; a difference names its tensor.

    Args:
        expected: What the converter writes.
        found: What a converted file holds, or what a network has loaded.
    """
    keys = [*expected, *(key for key in found if key not in expected)]
    pairs = ((key, _difference(expected.get(key), found.get(key))) for key in keys)
    return tuple(WeightDifference(key, reason) for key, reason in pairs if reason)


def _difference(expected: np.ndarray | None, found: np.ndarray | None) -> str:
    if expected is None:
        return "is not among the converted tensors"
    if found is None:
        return "is missing"
    if expected.shape != found.shape:
        return f"has shape {list(found.shape)}, expected {list(expected.shape)}"
    if expected.dtype != found.dtype:
        return f"is {found.dtype}, expected {expected.dtype}"
    if expected.tobytes() == found.tobytes():
        return ""
    return _by_value(expected, found)


def _by_value(expected: np.ndarray, found: np.ndarray) -> str:
    unequal = int(np.sum(expected != found))
    if expected.dtype.kind != "f":
        return f"differs in {unequal} of {expected.size} values"
    largest = np.max(np.abs(expected.astype("float64") - found.astype("float64")))
    return f"differs in {unequal} of {expected.size} values, by up to {largest:.2e}"


def read_file(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read a converted file's tensors with the converter's reader, which runs no pickled code.

    Raises:
        converters.InputError: The file cannot be read.
    """
    return {key: tensor.load() for key, tensor in converters.read_checkpoint(Path(path)).items()}


def paddle_arrays(paddle_layer: Any) -> dict[str, np.ndarray]:
    """Copy the tensors of a paddle layer's state dict."""
    return {key: value.numpy().copy() for key, value in paddle_layer.state_dict().items()}


def _dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).rpartition(".")[2]
