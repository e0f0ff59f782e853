"""What run folders say, in one reading for everybody: live rows, outcomes, final numbers, and what
is left of a sweep.
"""
