"""Starts what is left of a sweep, watches it and ends it: driver, signals, retries, progress.

Starts trial processes and watches their files; contains no training code (it never imports
`zoo.train`) and no reports. What
starts the processes is passed in (`zoo.executors`).
"""
