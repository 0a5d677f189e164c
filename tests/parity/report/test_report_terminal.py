from __future__ import annotations

import dataclasses
import io
from typing import Any

import made_up
import parity_toys as toys
import pytest
from rich.console import Console

from parity import ParityResult, check_parity
from parity.report.terminal import as_text, show

HARM = "\x1b[31m\x07[red]name[/red]\u202e"


def lines(result: ParityResult, width: int = 80, **options: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    show(result, console, **options)
    return console.file.getvalue().splitlines()


def place(text: list[str], start: str) -> int:
    return next(i for i, line in enumerate(text) if line.startswith(start))


def test_verdict_fault_and_diagnosis_come_before_the_table() -> None:
    text = lines(made_up.made_up())
    assert text[0].startswith("PARITY DOES NOT HOLD: 30 match, 3 rounding, 5 mismatch")
    order = ["first divergence: pool (AvgPool2d)", "diagnosis: pool-excludes-padding at pool"]
    order += ["layer ", "gradients of", "losses on", "training steps", "weights that differ"]
    places = [place(text, start) for start in order]
    assert places == sorted(places)
    assert "mend" in text[places[1] + 2]
    assert "AvgPool2D(3, stride=2, padding=1, exclusive=False)" in text[places[1] + 2]


def test_it_fits_80_columns_with_own_errors_beside_the_inherited() -> None:
    text = lines(made_up.made_up())
    assert max(map(len, text)) <= 80
    assert text[place(text, "layer ")].split() == ["layer", "own", "float32", "float64", "verdict"]
    assert text[place(text, "pool  ")].split()[1:4] == ["3.0e-01"] * 3
    assert text[place(text, "pool (call 1)")].split()[3:] == [
        "1.0e-16", "2.0e-01", "2.0e-01", "mismatch",
    ]  # fmt: skip


def test_a_wide_terminal_has_room_for_kinds() -> None:
    wide = lines(made_up.made_up(), width=120)
    assert "kind" in wide[place(wide, "layer ")]
    assert "Identity / Sequential" in wide[place(wide, "empty")]


def test_what_matters_is_shown_and_the_rest_on_demand() -> None:
    result = made_up.many(calls=40)
    some, everything = lines(result), lines(result, everything=True)
    assert sum("mismatch" in line for line in some) == 9
    assert "… and 32 more failing calls (--all shows them)" in some
    assert sum("conv_list" in line for line in everything) == 41


def test_training_steps_name_the_first_difference() -> None:
    text = lines(made_up.made_up())
    assert "first difference: gradient gradient.29 after step 3" in text
    assert text[place(text, "step ")].split() == [
        "step", "loss", "gradient", "optimizer", "parameter", "buffer", "verdict",
    ]  # fmt: skip


def test_what_fails_without_a_layer_at_fault_is_listed() -> None:
    result = dataclasses.replace(
        made_up.passing(), weights=made_up.made_up().weights, gradients=made_up.made_up().gradients
    )
    text = "\n".join(lines(result, width=200))
    assert "PARITY DOES NOT HOLD" in text
    assert f"what fails (2): weight {made_up.SCRIPT}.weight differs in 3 of 4 values" in text


def test_where_nothing_fails_the_largest_rounding_has_its_reason() -> None:
    assert "'': float32 differs, float64 agrees: arithmetic, not meaning" in lines(
        made_up.passing()
    )


def test_a_refusal_is_said_once() -> None:
    text = lines(made_up.nothing())
    assert text[0] == "PARITY DOES NOT HOLD: nothing compared"
    assert sum("no rule" in line for line in text) == 1


@pytest.mark.parametrize("color", [None, "truecolor"])
def test_names_do_not_speak_to_the_terminal(color: Any) -> None:
    result = made_up.made_up()
    fault = dataclasses.replace(result.layers[31], name=HARM, kind=HARM)
    case = dataclasses.replace(result.losses[1], case=HARM)
    diagnosis = [dataclasses.replace(result.diagnosis[0], mend=HARM, cause=HARM)]
    result = dataclasses.replace(
        result,
        layers=(fault,),
        faults=((HARM, 0),),
        losses=(case,),
        diagnosis=diagnosis,
        notes=(HARM,),
    )
    console = Console(file=io.StringIO(), width=80, color_system=color, force_terminal=bool(color))
    show(result, console, everything=True)
    text = console.file.getvalue()
    assert "\N{REPLACEMENT CHARACTER}[31m" in text
    assert text.count("[red]name[/red]") >= 6
    assert not {"\x07", "\u202e"} & set(text)
    assert ("\x1b" in text) is bool(color)


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    def styles() -> str:
        console = Console(file=io.StringIO(), width=80, force_terminal=True)
        show(made_up.passing(), console)
        return console.file.getvalue()

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in styles()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in styles()


def test_the_pooling_trap_is_told_in_words() -> None:
    text = as_text(check_parity(toys.torch_model(), toys.paddle_wrong_pool(), toys.images()))
    assert "first divergence: block.skip (AvgPool2d)" in text
    assert "own error 7.4e-01" in text
    assert "only at the border, the outermost row and column" in text
    assert all(line == line.rstrip() for line in text.splitlines())
