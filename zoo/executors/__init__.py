"""Where trials run: as processes of this machine (`local`), through Ray Tune (`ray_tune`), or as
jobs of Slurm (`slurm_submit`, which starts no driver: it submits and returns).

An executor starts tasks and reports when each begins and ends (`zoo.scheduling.executor`); the
driver in `zoo.orchestrate` gets one and decides everything else.
"""
