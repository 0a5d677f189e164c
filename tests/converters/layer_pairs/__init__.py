"""The same layer in both frameworks, in a random configuration, one function a kind.

Each function takes a generator and whether sizes that could hide a mistake are to be equal, and
gives a torch module, a Paddle layer and inputs that both take.
"""

from layer_pairs import attention, norms, plain, recurrent, reparametrised
from layer_pairs.registry import KINDS, Pair, flat

__all__ = ["KINDS", "Pair", "attention", "flat", "norms", "plain", "recurrent", "reparametrised"]
