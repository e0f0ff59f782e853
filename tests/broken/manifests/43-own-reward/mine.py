PARAMS = {"bonus": 0.1}


def mine(verdicts, completions, params, seed):
    return [1.0 if v.correct else params["bonsu"] for v in verdicts]
