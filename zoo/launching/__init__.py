"""A trial as processes: `task` says what to run, `launch` starts it under its lock with a token,
follows and ends it, `ranks` keeps the processes of one trial together, `link` and `assist` join
several machines. Knows no schedule; never imports `zoo.train`.
"""
