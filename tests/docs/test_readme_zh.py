"""README.md and README.zh-CN.md say the same: headings, commands, tables, links."""

from __future__ import annotations

import re
from pathlib import Path

import pages
import pytest

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text("utf-8")
HEADINGS = {
    "stdc-port": "stdc-port",
    "Why": "为什么需要它",
    "Try it": "试一试",
    "Convert": "转换",
    "Prove": "证明",
    "Fine-tune": "微调",
    "Use what was trained": "使用训练好的网络",
    "What is accounted for": "哪些都交代清楚了",
    "What was run where": "哪些是在哪里跑过的",
    "More": "更多",
}


def headings(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^(#+) (.*)$", text, re.MULTILINE)


def shown(text: str) -> list[tuple[str, str]]:
    """Every block of code, commands and outputs, with the comment above it."""
    return [(block.said, block.text) for block in pages.blocks(text)]


def table_shapes(text: str) -> list[int]:
    """Number of cells of every row of a table, in order."""
    return [len(re.split(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")]


def links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")]


def test_the_headings_are_each_others() -> None:
    assert [(level, HEADINGS[title]) for level, title in headings(ENGLISH)] == headings(CHINESE)


@pytest.mark.parametrize("what", [shown, table_shapes, links])
def test_both_say_the_same(what) -> None:
    assert len(what(ENGLISH)) > 10
    assert what(ENGLISH) == what(CHINESE)


def test_the_figures_in_the_text_are_the_same() -> None:
    """Figures that are in one and not in the other were forgotten there."""
    figures = [set(re.findall(r"\d+\.\d+", text)) for text in (ENGLISH, CHINESE)]
    assert figures[0] ^ figures[1] == set()
