NAME = "My Words"
VERSION = "1"
PARAMS = ["bonus"]
EXTRACT = "boxd"


def mine(verdicts, completions, params, seed):
    return [0.0 for v in verdicts]
