"""MKL is told to use wide vectors where it would not, and where the processor has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stdc_port.training import processor
from stdc_port.training.processor import VARIABLE, mkl_code, use_wide_vectors

WIDE = "avx512f avx512cd avx512bw avx512dq avx512vl"


def cpuinfo(maker: str, flags: str) -> str:
    one = f"processor\t: 0\nvendor_id\t: {maker}\nmodel name\t: a: b\nflags\t\t: fpu sse2 {flags}\n"
    return f"{one}bugs\t\t:\n\n{one.replace(flags, '')}"


@pytest.mark.parametrize(
    ("maker", "flags", "code"),
    [
        ("AuthenticAMD", f"fma avx avx2 {WIDE}", "7"),
        ("AuthenticAMD", f"fma avx avx2 {WIDE.replace('avx512vl', '')}", "5"),
        ("HygonGenuine", "fma avx avx2", "5"),
        ("AuthenticAMD", "avx fma4", None),
        ("GenuineIntel", f"fma avx avx2 {WIDE}", None),
    ],
)
def test_only_what_the_processor_has_and_mkl_does_not_see(
    maker: str, flags: str, code: str | None
) -> None:
    assert mkl_code(cpuinfo(maker, flags)) == code


@pytest.mark.parametrize("text", ["", "Features\t: fp asimd\n", "vendor_id\n\n"])
def test_another_machine_is_left_alone(text: str) -> None:
    assert mkl_code(text) is None


def test_who_has_set_it_knows_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(processor, "_FACTS", facts)
    environment: dict[str, str] = {}
    use_wide_vectors(environment)
    assert environment == {}
    facts.write_text(cpuinfo("AuthenticAMD", "avx2 fma"))
    use_wide_vectors(environment)
    assert environment == {VARIABLE: "5"}
    environment[VARIABLE] = "0"
    use_wide_vectors(environment)
    assert environment == {VARIABLE: "0"}
