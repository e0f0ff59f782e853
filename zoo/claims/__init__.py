"""Claims of a manifest as contrasts between cells: what they compare and what they can detect."""
