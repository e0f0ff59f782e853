PARAMS = {"bonus": 0.1, "words": "seven"}


def mine(verdicts, completions, params, seed):
    return [1 / params["bonus"] for v in verdicts]
