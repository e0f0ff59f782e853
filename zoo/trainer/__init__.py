"""TRL's GRPO trainer with zoo's extensions, and the engines that sample for it, in one process or
in several. Handles arguments, weights and state; no session and no files of a run.
"""
