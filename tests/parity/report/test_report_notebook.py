from __future__ import annotations

from html.parser import HTMLParser

import made_up

ALLOWED = {"p", "strong", "ul", "li", "pre", "table", "thead", "tbody", "tr", "th", "td"}


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
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
    assert len(made_up.many(calls=700)._repr_html_()) < 5000
    assert Tags(made_up.passing()._repr_html_()).text.startswith("✓ parity holds")
    assert "<table>" not in made_up.nothing()._repr_html_()
