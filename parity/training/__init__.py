"""Training both networks side by side, and comparing them after each step."""

from parity.training.plan import Training

__all__ = ["Training"]
