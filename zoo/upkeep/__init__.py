"""Commands that tend sweeps and their files: end one that runs, void trials, remove what is not
needed any more."""
