"""What is wrong with a loss: torch's own, with one thing changed, has to give what paddle gives."""
