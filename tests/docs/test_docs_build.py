"""The documents build without a warning, and no link of theirs leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]
LOADED = re.compile(r'<(?:script|link|img|iframe)[^>]* (?:src|href)="([^"]+)')
READMES = sorted(ROOT.glob("*.md"))


def pages() -> list[str]:
    """The pages of the site: of every text, and of the notebook."""
    docs = ROOT / "docs"
    return sorted(
        path.with_suffix(".md").name for path in (*docs.glob("*.md"), *docs.glob("*.ipynb"))
    )


def test_the_documents_build_and_their_links_lead_somewhere(tmp_path: Path) -> None:
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site")))
    written = {path.parent.name for path in (tmp_path / "site").glob("*/index.html")}
    assert written >= {Path(name).stem for name in pages()} - {"index"}
    tour = (tmp_path / "site/tour/index.html").read_text("utf-8")
    assert "first divergence: features.2.skip" in tour
    assert 'src="../pictures/tour.png"' in tour


def test_no_page_asks_another_site_for_anything(tmp_path: Path) -> None:
    build(load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(tmp_path / "site")))
    for page in (tmp_path / "site").rglob("*.html"):
        asked = re.findall(
            r'<(?:script|link|img|iframe)[^>]* (?:src|href)="([^"]+)', page.read_text()
        )
        assert [one for one in asked if re.match(r"(https?:)?//", one)] == [], page.name
    for style in (tmp_path / "site").rglob("*.css"):
        assert re.findall(r"(?:@import|url\()[ '\"]*(?:https?:)?//", style.read_text("utf-8")) == []


def test_every_page_is_in_the_navigation() -> None:
    named = re.findall(
        r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(named) == pages()


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_links_of_the_front_pages_lead_to_files(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    inside = [link for link in links if not link.startswith("http")]
    assert [link for link in inside if not (ROOT / link).exists()] == []
