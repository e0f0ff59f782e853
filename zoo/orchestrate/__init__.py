"""Starts what is left of a sweep, watches it and ends it: schedule, executors, signals, progress.

Starts trial processes and watches their files; knows nothing of training (it never imports
`zoo.train`) and nothing of reports. Ray lives in `executor_ray` alone.
"""
