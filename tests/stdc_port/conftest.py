"""Lets the tests in folders below find `pairs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
