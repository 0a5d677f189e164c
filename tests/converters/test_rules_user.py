"""Without a target network: what tensors say of each other, a user's rules, and no silent guess."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from samples import array_tensor

from converters import InputError, RefusedError, plan_conversion
from converters.checkpoint import Checkpoint
from converters.cli import main
from converters.rules import BY_KIND
from converters.user_rules import UserRules, read_rules


def checkpoint(**shapes: tuple[int, ...]) -> Checkpoint:
    tensors = {
        key.replace("__", "."): array_tensor(np.arange(np.prod(shape), dtype="f4").reshape(shape))
        for key, shape in shapes.items()
    }
    return Checkpoint(Path("some.pth"), "memory", tensors)


def rules(tmp_path: Path, text: str) -> UserRules:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    return read_rules(path)


def kinds(plan) -> dict[str, str]:
    return {layer.path: layer.kind for layer in plan.layout.layers}


def test_siblings_settle_a_layer() -> None:
    plan = plan_conversion(
        checkpoint(
            a__weight=(4,), a__bias=(4,), a__running_mean=(4,), a__running_var=(4,),
            b__in_proj_weight=(12, 4), b__in_proj_bias=(12,),
            b__out_proj__weight=(4, 4), b__out_proj__bias=(4,),
            c__weight=(3, 3, 3, 3),
            d__weight=(5, 5), d__bias=(5,),
            e__weight_ih_l0=(8, 3), e__weight_hh_l0=(8, 2), e__bias_ih_l0=(8,), e__bias_hh_l0=(8,),
            f__weight_g=(4, 1), f__weight_v=(4, 4), f__bias=(4,),
        )
    )  # fmt: skip
    assert plan.problems == ()
    assert kinds(plan) == {
        "a": "batch_norm", "b": "attention", "b.out_proj": "linear", "c": "conv", "d": "linear",
        "e": "recurrent", "f": "linear",
    }  # fmt: skip
    by_source = {entry.source: entry for entry in plan.entries}
    assert by_source["b.in_proj_weight"].action == "split"
    assert by_source["b.in_proj_weight"].target == (
        "b.q_proj.weight", "b.k_proj.weight", "b.v_proj.weight",
    )  # fmt: skip
    assert by_source["d.weight"].action == "transpose"
    assert by_source["f.weight_v"].action == "transpose"
    assert (by_source["f.weight_g"].action, by_source["f.weight_g"].shape) == ("copy", (4,))
    assert "Paddle as a vector" in by_source["f.weight_g"].reason


@pytest.mark.parametrize("shape", [(4, 4), (3, 5)])
@pytest.mark.parametrize(
    ("name", "kind"),
    [("token_embedding", "embedding"), ("head", "linear"), ("thing", None), ("embed_proj", None)],
)
def test_two_axes_alone_are_never_guessed_silently(shape, name, kind) -> None:
    plan = plan_conversion(checkpoint(**{f"{name}__weight": shape}))
    assert len(plan.problems) == 1
    assert "could be a Linear's or an Embedding's" in plan.problems[0]
    assert plan.problems[0].startswith("assumed: ")
    with pytest.raises(RefusedError, match=r"name the network with --model, or .* in --rules:"):
        plan.require_complete()
    if kind:
        assert kinds(plan)[name] == kind
    else:
        assert "its name does not tell" in plan.problems[0]


@pytest.mark.parametrize("kind", ["embedding", "linear"])
def test_a_rule_settles_what_tensors_leave_open(tmp_path, kind) -> None:
    said = rules(tmp_path, f"[[kind]]\npattern = 'thing'\nkind = '{kind}'")
    plan = plan_conversion(checkpoint(thing__weight=(4, 4)), rules=said)
    assert plan.problems == ()
    assert plan.entries[0].action == ("transpose" if kind == "linear" else "copy")


def test_a_rule_against_the_tensors_is_a_problem(tmp_path) -> None:
    said = rules(tmp_path, "[[kind]]\npattern = 'c'\nkind = 'linear'")
    plan = plan_conversion(checkpoint(c__weight=(4, 4, 3, 3)), rules=said)
    assert any("--rules says linear, but its tensors say conv" in one for one in plan.problems)


def test_renames_and_drops(tmp_path) -> None:
    said = rules(
        tmp_path,
        r"""
        [[rename]]
        pattern = 'backbone\.(.*)'
        to = '\1'
        [[drop]]
        pattern = 'head\..*'
        reason = "another number of classes"
        """,
    )
    source = checkpoint(backbone__conv__weight=(2, 2, 3, 3), head__weight=(7, 4))
    plan = plan_conversion(source, rules=said)
    assert plan.problems == ()
    assert [(one.source, one.target, one.action) for one in plan.entries] == [
        ("head.weight", None, "drop"),
        ("backbone.conv.weight", "conv.weight", "rename"),
    ]
    assert plan.entries[0].reason == "another number of classes"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rename]]\npattern = 'x'\nto = 'y'", "no key fits 'x'"),
        ("[[rename]]\npattern = '.*'\nto = 'same'", "would both become 'same'"),
        ("[[rename]]\npattern = '('\nto = 'y'", "missing )"),
        ("[[rename]]\npattern = 'x'", "expected the texts pattern and to"),
        ("[[drops]]\npattern = 'x'", "unknown table 'drops'"),
        ("[[kind]]\npattern = 'x'\nkind = 'lineal'", "unknown kind 'lineal'"),
        ("[rename]\npattern = 'x'\nto = 'y'", "in double brackets"),
        ("rename = ", "is not TOML"),
    ],
)
def test_a_bad_rule_is_named(tmp_path, text, message) -> None:
    with pytest.raises(InputError, match=r"(?s).*") as caught:
        plan_conversion(
            checkpoint(a__weight=(2, 2, 3, 3), b__weight=(2, 2, 3, 3)), rules=rules(tmp_path, text)
        )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_command_takes_rules_and_refuses_assumptions(tmp_path) -> None:
    source, target, path = tmp_path / "a.pth", tmp_path / "a.pdparams", tmp_path / "r.toml"
    torch.save({"head.weight": torch.ones(3, 3)}, source)
    arguments = [str(source), "-o", str(target)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "assumed: 'head' is of kind linear, by its name alone" in result.stderr
    assert not target.exists()
    assert CliRunner().invoke(main, [*arguments, "--no-strict", "--dry-run"]).exit_code == 0
    path.write_text("[[kind]]\npattern = 'head'\nkind = 'linear'")
    assert CliRunner().invoke(main, [*arguments, "--rules", str(path)]).exit_code == 0
    assert target.exists()


PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")


def test_the_documented_example_is_a_file_of_rules(tmp_path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    found = rules(tmp_path, example)
    tables = (found.renames, found.drops, found.kinds, found.tensors)
    assert [len(table) for table in tables] == [1, 1, 1, 1]
    plan = plan_conversion(
        checkpoint(
            encoder__conv__weight=(2, 2, 3, 3),
            head__weight=(7, 4),
            encoder__token_table__weight=(4, 4),
            encoder__fc__weight=(4, 3),
            encoder__fc__bias=(4,),
            encoder__fc__lora_A=(2, 3),
        ),
        rules=found,
    )
    assert plan.problems == ()
    assert {one.target for one in plan.entries} == {
        *("backbone.conv.weight", "backbone.token_table.weight"), None,
        *("backbone.fc.weight", "backbone.fc.bias", "backbone.fc.lora_A"),
    }  # fmt: skip


def test_the_documented_kinds_are_those_there_are() -> None:
    listed = re.findall(r"`(\w+)`", PAGE.partition("## All kinds")[2])
    assert sorted(listed) == sorted(BY_KIND)
