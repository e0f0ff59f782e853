"""What a plan warns of: designs, cards, claims and overrides that are legal and can spoil a
study."""
