"""The sub-commands of `stdc-parity`, one a file; `parity/cli.py` joins them."""
