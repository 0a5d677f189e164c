"""`python -m parity` is `stdc-parity`."""

from parity.cli import main

main()
