"""The text of a first manifest, from what its author chose."""
