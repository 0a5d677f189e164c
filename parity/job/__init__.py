"""What the command line asks for, turned into networks, their weights and their inputs.

The only package of this room that knows the STDC networks.
"""

from parity.job.networks import Side, need
from parity.job.prepare import Job, prepare, prepare_side
from parity.job.request import JobError, Request, request_of

__all__ = ["Job", "JobError", "Request", "Side", "need", "prepare", "prepare_side", "request_of"]
