"""Small networks in both frameworks, each two files of which the second is the port of the first.

A file holds the network and its training: `build`; `loss`; `training`, which gives
an optimizer and its schedule; and `update`, which uses the gradients.
"""
