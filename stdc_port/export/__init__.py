"""Trained networks as files for others to run: written, read again, compared, timed.

A format is a row of `formats.FORMATS`. Each framework's part is a file of its own, loaded when it
is wanted.
"""
