"""The frame of all pages: one file, what it may do, and whom its title belongs to."""

import re

import pytest

from converters.page import html_page

TITLE = "</title><script>alert(1)</script>"


def policy(text: str) -> dict[str, str]:
    (content,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    return dict(one.split(" ", 1) for one in content.split("; "))


def test_a_page_without_a_script_allows_none():
    text = html_page(TITLE, "<p>one</p>\n", style="p { margin: 0; }")
    assert "<script" not in text
    assert "<title>&lt;/title&gt;" in text
    assert "<body>\n<p>one</p>\n</body>" in text
    assert policy(text)["default-src"] == policy(text)["script-src"] == "'none'"
    assert not re.search(r"url\(|@import|https?:", text)


def test_the_style_of_all_pages_comes_before_the_pages_own():
    text = html_page("", "", style="p { margin: 99px; }")
    assert 0 < text.index("box-sizing") < text.index("p { margin: 99px; }</style>")


@pytest.mark.parametrize("inline", [False, True])
def test_styles_of_elements_are_allowed_where_they_are_asked_for(inline):
    source = policy(html_page("", "", style="", script="1", inline_styles=inline))["style-src"]
    assert (source == "'unsafe-inline'") == inline
    assert source.startswith("'sha256-") != inline


def test_values_are_not_read_as_places_to_fill():
    assert "$body $title" in html_page("", "$body $title", style="")
