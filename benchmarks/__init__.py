"""Figures: speed and memory beside the usual ways. ``make bench`` writes ``RESULTS.md``."""
