"""What is wrong with a training beside its network: explained from what the steps did."""
