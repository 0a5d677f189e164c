"""Causes of a difference, one small file a family; each is named only when a trial confirmed it."""
