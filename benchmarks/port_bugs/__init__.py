"""The bug-finding benchmark: known bugs planted in ports, and correct ports that look odd.

- ``networks/``: torch networks and their correct ports, with their training
- ``bugs/``: what is planted, one module a network; ``correct.py``: what must not be blamed
- ``causes.py``: the names of the causes
- ``edits.py``, ``plants.py``: how a bug gets into the source or the weights
- ``score.py``, ``tables.py``: what the harness answers, and the figures
"""
