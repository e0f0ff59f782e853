"""Commands that tend sweeps and their files: `zoo stop`. Imports that cost time are inside each
command, as in `zoo.cli.main`.
"""

from __future__ import annotations

import click


@click.command()
@click.argument("name")
@click.option(
    "--now", is_flag=True, help="Within the profile's grace; at once if stopping already."
)
def stop(name: str, now: bool) -> int:
    """End a running sweep from another terminal, as Ctrl-C in its own does.

    Its trials end their rounds and save; waits until the sweep has ended. --now gives them the
    profile's `grace_s` as SIGTERM does, and ends them at once where the sweep is being stopped
    already. Exit code 0 where the sweep has ended or was not running, 1 where it runs on another
    host. Ctrl-C here ends the waiting only.
    """
    from zoo.upkeep.stop import run

    return run(name, click.echo, now=now)


COMMANDS = (stop,)
