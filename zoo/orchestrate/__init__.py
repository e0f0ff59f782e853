"""What is left to do, in which order, and seeing it through: launch, watch, retry."""
