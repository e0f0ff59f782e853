"""Rewards: pure functions from the verdicts and completions of one group to numbers.

A reward sees the whole group of completions of one prompt, the numbers of its card, and a seed. It
reads no text of a problem, grades nothing, and has no state. An unscored verdict (`BAD_GOLD`,
`GRADER_FAULT`) gives None: the row is left out of the group, never counted as zero. Nothing is
imported here: planning reads `zoo.rewards.parameters`, and the rest needs the grader.
"""
