"""Write docs/traps.md from what `stdc-parity traps --json FILE` measured: `make docs-traps`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "traps.md"
HEAD = """# Traps

Places where Paddle silently does something else than torch, or than the published STDC. Each is
a function of `parity/traps` that measures the difference as a port usually has it (*now*), and with
the mend in place (*mended*), as a largest absolute difference unless the note says otherwise.
What is written here was measured with {versions} on the CPU; for your own versions run

```console
$ stdc-parity traps bn-momentum
[…]
1 trap ([…]): 1 mended
```

`make docs-traps` writes this page again. {counts}.
"""


def page(measured: dict[str, Any]) -> str:
    """Return the page of a measured catalogue, as `stdc-parity traps --json` writes it."""
    versions = ", ".join(f"{name} {number}" for name, number in measured["versions"].items())
    counts = ", ".join(f"{count} {what}" for what, count in measured["counts"].items() if count)
    head = HEAD.format(versions=versions, counts=f"{len(measured['traps'])} traps: {counts}")
    return "\n".join([head, *map(entry, measured["traps"])])


def entry(trap: dict[str, Any]) -> str:
    """Return one trap: what both do, how to mend it, and the figures."""
    lines = [
        f"## {trap['number']}. {trap['title']}",
        "",
        f"`{trap['slug']}`: **{trap['standing']}**{figures(trap)}",
        "",
        f"- torch: {escaped(trap['torch'])}",
        f"- Paddle: {escaped(trap['paddle'])}",
        f"- mend: {escaped(trap['mend'])}",
    ]
    found = "; ".join(part for part in (trap["note"], trap["source"]) if part)
    return "\n".join([*lines, f"- found: {escaped(found)}", ""])


def figures(trap: dict[str, Any]) -> str:
    """Return the differences; one that is no number could not even be compared."""
    if trap["exists"] is None:
        return ""
    before, after = (
        "not comparable" if trap[name] is None else f"{trap[name]:.3g}"
        for name in ("before", "after")
    )
    return f", now {before}, mended {after}"


def escaped(text: str) -> str:
    """Keep signs that Markdown would take for its own."""
    for sign in ("\\", "*", "_", "<", "["):
        text = text.replace(sign, f"\\{sign}")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text("utf-8"))), encoding="utf-8")
