"""PaddlePaddle's PaDiff beside ours, in an environment of its own.

- ``environment.py``: makes that environment, and runs Python in it
- ``settings.py``: how PaDiff is asked; ``told.py``: what it says, read for a human
- ``ask.py``: a pair of networks given to PaDiff; ``run.py``: ports with planted bugs, and correct
  ones; both in that environment
- ``cost_run.py``: one measured process
- ``cost.py``, ``bugs.py``: sections of RESULTS.md
- ``record.py``, ``tables.py``: what came of the bugs, and how it is shown
"""
