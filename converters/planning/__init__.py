"""Deciding every key's fate; :mod:`converters.plan` is the way in."""
