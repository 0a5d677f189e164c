from __future__ import annotations

from html.parser import HTMLParser

import made_up

from parity.report.terminal import as_text

ALLOWED = {"p", "strong", "ul", "li", "pre", "table", "thead", "tbody", "tr", "th", "td"}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.found.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_failing_result_names_its_fault_and_mend() -> None:
    found = Tags(made_up.made_up()._repr_html_())
    assert found.found <= ALLOWED
    for word in (
        "✗ PARITY DOES NOT HOLD",
        "first divergence: pool",
        "diagnosis: pool-excludes-padding",
        "exclusive=False)",
        "own error 3.0e-01",
        made_up.SCRIPT,
        made_up.CLOSING,
    ):
        assert word in found.text


def test_it_is_small_and_a_passing_one_smaller() -> None:
    assert len(made_up.many(calls=700)._repr_html_()) < 10000
    assert Tags(made_up.passing()._repr_html_()).text.startswith("✓ parity holds")
    assert "<table>" not in made_up.nothing()._repr_html_()


def test_what_is_printed_is_the_terminals_report() -> None:
    result = made_up.made_up()
    assert str(result) == as_text(result).rstrip("\n")
    bundle = result._repr_mimebundle_()
    assert bundle["text/html"] == result._repr_html_()
    assert bundle["text/plain"].startswith("PARITY DOES NOT HOLD")
    assert "ParityResult(" not in bundle["text/plain"]


def test_a_diagnosis_shows_itself() -> None:
    (found,) = made_up.made_up().diagnosis[:1]
    assert str(found).startswith(f"diagnosis: {found.cause} at ")
    assert found.mend in Tags(found._repr_html_()).text
