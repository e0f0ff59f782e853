"""TRL's GRPO trainer as zoo needs it, and the engines that sample for it, in one process or in the
processes of a team. Knows arguments, weights and state; no session, and nothing of a run's files.
"""
