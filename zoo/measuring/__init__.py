"""Commands that measure: benchmarks (`zoo eval`), a probe of a base model (`zoo audition`), kept
completions under the current grader (`zoo grade`), reasoning behaviours (`zoo behaviours`). Each
says meanwhile what it does, keeps at once what is done, and goes on from there when called again.
"""
