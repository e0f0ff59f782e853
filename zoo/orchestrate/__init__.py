"""Starts what is left of a sweep, watches it and ends it: executors, signals, retries, progress.

Starts trial processes and watches their files; contains no training code (it never imports
`zoo.train`) and no reports. Ray lives in `executor_ray` alone.
"""
