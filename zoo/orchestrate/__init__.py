"""What is left, in which order, who runs it, and how it ends.

Starts trial processes and watches their files; knows nothing of training (it never imports
`zoo.train`) and nothing of reports. Ray lives in `executor_ray` alone.
"""
