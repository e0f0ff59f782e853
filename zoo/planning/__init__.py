"""A manifest, the cards and the run store give a plan: what would run, why, what it costs, and
what is in the way. Light; writes nothing."""
