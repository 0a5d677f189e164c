"""Showing a parity result: on a terminal, as JSON."""
