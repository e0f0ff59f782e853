"""Evaluation of checkpoints: sampling, grading and metrics as stages with their own ids. Light
until it samples.
"""
