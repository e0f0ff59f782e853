"""One trial as one process: `python -m zoo.train RUNS/train/ID/trial.json`. Heavy imports wait
until a trainer runs.
"""
