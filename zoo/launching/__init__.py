"""A trial as processes: `task` describes what to run, `launch` starts it under its lock with a
token, monitors and ends it, `ranks` manages the processes of one trial, `link` and `assist` join
several machines. Independent of schedules; never imports `zoo.train`.
"""
