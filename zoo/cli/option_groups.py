"""Options that several commands of `zoo` share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

cards_option = click.option(
    "--cards", multiple=True, metavar="DIR", help="An additional folder of cards, after ./cards."
)
profile_option = click.option(
    "--on", "profile", metavar="PROFILE", help="Compute profile. [default: fits this machine]"
)
set_option = click.option(
    "--set", "sets", multiple=True, metavar="A.B=C", help="Change the manifest for this command."
)
only_option = click.option(
    "--only", multiple=True, metavar="AXIS=PATTERN", help="Only these trials, e.g. 'model=qwen*'."
)
reward_option = click.option(
    "--reward", "rewards", multiple=True, metavar="FILE.py", help="A reward function of your own."
)
look_option = click.option(
    "--look",
    type=click.IntRange(min=1),
    metavar="N",
    help="One look of a manifest that adds seeds in looks: the current or the next one.",
)
order_option = click.option(
    "--order",
    type=click.Choice(["seeds-first", "longest-first"]),
    default="seeds-first",
    show_default=True,
    help="Which trials start first: one seed of every cell, or what ends the sweep earliest.",
)
rehearse_option = click.option(
    "--rehearse", is_flag=True, help="With pocket stand-ins: every cell, two short rounds."
)


def which_plan(command: Callable[..., int]) -> Callable[..., int]:
    """The options that select a plan, passed on as `PlanOptions`."""

    @functools.wraps(command)
    def run(
        *words: Any,
        cards: tuple[str, ...],
        sets: tuple[str, ...],
        only: tuple[str, ...],
        rehearse: bool,
        rewards: tuple[str, ...],
        **more: Any,
    ) -> int:
        from zoo.planning.options import PlanOptions

        return command(*words, words=PlanOptions(cards, sets, only, rehearse, rewards), **more)

    return set_option(only_option(rehearse_option(cards_option(reward_option(run)))))


def run_options(command: Callable[..., int]) -> Callable[..., int]:
    """The options for running trials, passed on by their names."""
    options = [
        click.option(
            "--executor",
            type=click.Choice(["ray", "local", "slurm"]),
            help="What starts the trials. [default: the profile's; local for simulated ones]",
        ),
        order_option,
        click.option("--concurrency", type=click.IntRange(min=1), help="Trials at a time."),
        click.option(
            "--save-every",
            type=click.IntRange(min=1),
            metavar="N",
            help="Rounds between checkpoints. [default: the profile's, else by what saving costs]",
        ),
        click.option(
            "--across-stacks",
            is_flag=True,
            help="Continue trials also under another software stack, geometry or grader.",
        ),
        click.option("--bare", is_flag=True, help="Only run trials: no MLflow, no report."),
        click.option("--events", metavar="FILE", help="Append what happens, a JSON line an event."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
