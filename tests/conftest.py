"""What all tests have: pytest's own fixture for testing plugins, and one way of rounding.

Commands tell Paddle's library what the processor can do, in the environment, which their children
inherit. A process that has multiplied before does not hear of it and rounds otherwise; so a test
that compares a training here with one in a child needs it said before anything else.
"""

from stdc_port.training.processor import use_wide_vectors

pytest_plugins = ["pytester"]
use_wide_vectors()
