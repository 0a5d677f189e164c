"""The commands of ``stdc-convert``, one file each."""
