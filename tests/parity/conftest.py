"""Lets the tests, and the factories of the command line, find `parity_toys`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
