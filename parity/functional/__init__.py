"""What a module's own forward computes between its children: its functional operations."""
