"""Broken files guided by which lines of the readers they reach, where atheris is installed.

`campaign.py` knows the formats and reaches deep at once; this finds by itself what nobody told it.
Arguments are libFuzzer's: ``-max_total_time=60``, a folder for what it finds.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Run until a file is found that is neither read nor refused, or the time is over."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        sys.stdout.write("atheris is not installed; files are broken without its guidance alone\n")
        return
    import numpy as np  # noqa: F401 - not one of the modules that are followed

    with atheris.instrument_imports(include=["converters"]):
        from seeds import seeds

        from converters.errors import ConverterError
        from converters.formats import read_checkpoint

    with tempfile.TemporaryDirectory() as name:
        corpus, path = Path(name) / "corpus", Path(name) / "a.bin"
        corpus.mkdir()
        for number, content in enumerate(seeds(Path(name)).values()):
            (corpus / str(number)).write_bytes(content)

        def read(data: bytes) -> None:
            path.write_bytes(data)
            try:
                for tensor in read_checkpoint(path).values():
                    tensor.load()
            except ConverterError:
                pass

        limits = ["-timeout=5", "-rss_limit_mb=2048", "-max_len=8192"]
        atheris.Setup([sys.argv[0], *limits, *sys.argv[1:], str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
