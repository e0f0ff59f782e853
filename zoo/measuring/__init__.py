"""Commands that evaluate: benchmarks (`zoo eval`), a probe of a base model (`zoo audition`), kept
completions under the current grader (`zoo grade`), reasoning behaviours (`zoo behaviours`). Each
prints its progress, stores finished work at once, and continues from there when called again.
"""
