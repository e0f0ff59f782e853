"""A manifest and the catalog give trials: the grid, settings and cards of each cell, and ids."""
