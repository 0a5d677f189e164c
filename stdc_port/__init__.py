"""STDC in PyTorch and PaddlePaddle: the networks, their losses and their training.

Importing this package loads neither framework; ``stdc_port.torch_nets`` and
``stdc_port.paddle_nets`` load theirs.
"""

__version__ = "0.1.0"
