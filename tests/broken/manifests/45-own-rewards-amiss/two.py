def one(verdicts, completions, params, seed):
    return [0.0 for v in verdicts]


def two(verdicts, completions, params, seed):
    return [0.0 for v in verdicts]
