"""Which settings of TRL's GRPOConfig exist, what they may be, and what other frameworks call
them."""
