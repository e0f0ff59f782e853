"""The version of the grader, apart from it: who asks where a trial stands needs no more than that.

It names the behaviour of everything in `zoo.grading`, and is bumped whenever any verdict could
change.
"""

GRADER_VERSION = "3"
