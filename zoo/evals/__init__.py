"""How good is a checkpoint? Sampling, grading and metrics as stages with ids of their own. Light
until it samples.
"""
