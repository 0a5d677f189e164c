"""A run kept in a file, so that two networks can be compared that never share a process.

A dump is a zip of `.npy` members, which `numpy.load` opens too. Writing needs the one framework
whose network runs; reading and comparing need numpy alone.
"""

from parity.dump.diff import diff_dumps, in_order
from parity.dump.manifest import DumpError, Manifest
from parity.dump.reader import Dump, is_dump
from parity.dump.write import write_dump

__all__ = ["Dump", "DumpError", "Manifest", "diff_dumps", "in_order", "is_dump", "write_dump"]
