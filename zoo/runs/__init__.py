"""The only readers of run folders: live rows, outcomes, final numbers, and the remaining work
of a sweep.
"""
