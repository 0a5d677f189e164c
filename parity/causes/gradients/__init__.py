"""Where a backward pass goes wrong though the forward pass is right."""
