"""Keys beneath a path are found without looking at all the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from converters.layouts.grouping import beneath

PATHS = st.lists(st.sampled_from(["a", "b", "a-", "aa", "é", "0"]), max_size=3).map(".".join)


@given(st.sets(PATHS), PATHS)
def test_beneath_a_path_is_what_begins_with_it_and_a_dot(names: set[str], path: str) -> None:
    root = f"{path}." if path else ""
    wanted = sorted(name.removeprefix(root) for name in names if name.startswith(root))
    assert sorted(beneath(path, sorted(names))) == wanted
