"""In which order trials start and where there is room for them: the queue of a sweep, orders, the
interface of executors, and the same scheduling simulated."""
