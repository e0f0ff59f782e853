"""Where trials run: as processes of this machine (`local`), or through Ray Tune (`ray_tune`).

An executor starts tasks and reports when each begins and ends (`zoo.scheduling.executor`); the
driver in `zoo.orchestrate` gets one and decides everything else.
"""
