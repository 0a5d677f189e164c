"""The commands of `stdc-seg`, a file each. Frameworks are loaded by the step that needs them."""
