"""Everything in a plan: state, placement and cost of trials, what their claims can detect, and
warnings.

Computed once and handed to the writers (text, JSON, one trial). Light, and writes nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

from zoo.catalog import ComputeProfile, ModelCard, RecipeCard
from zoo.claims.planned_power import Power, powers_of
from zoo.data.questions import overlaps
from zoo.data.resolve import model_folder
from zoo.errors import InputError
from zoo.lint.card_warnings import Prompts
from zoo.lint.engine_warnings import engine_warnings
from zoo.lint.override_warnings import override_warnings
from zoo.lint.plan_warning import PlanWarning
from zoo.lint.warnings import warnings
from zoo.manifest.schema import Experiment
from zoo.planning.budget_forecast import BudgetState, budget_state
from zoo.planning.expand import expand
from zoo.planning.machine import profile_of
from zoo.planning.options import PlanOptions
from zoo.planning.prompt_lengths import remembered
from zoo.planning.remaining import rates_of, to_pay
from zoo.planning.study import Study, load_study
from zoo.resources import (
    Placement,
    Rate,
    SweepCost,
    TrialCost,
    expected,
    fits_each,
    place,
    shape,
    sweep_cost,
)
from zoo.runs.seed_noise import spreads
from zoo.runs.sweep_status import SweepStatus, read_status
from zoo.trials.metrics import Metric, last_k, metrics_of
from zoo.trials.trial import Trial

GIB = 2**30


@dataclass(frozen=True)
class Plan:
    """What a manifest runs and what follows from it; everything is computed when it is first read.

    `trials` are the selected ones and `left` those that a sweep would run; `status` has the state
    of each, `cost` the cost of `left` on `profile`, `powers` what each verdict of a claim can
    detect, `warnings` possible flaws of the study.
    """

    study: Study
    profile: ComputeProfile
    named: bool = True
    """Whether the profile was named (`--on`)."""

    @property
    def name(self) -> str:
        """Name of the sweep."""
        return self.study.name

    @property
    def trials(self) -> list[Trial]:
        """The trials that are meant, in the manifest's order, whatever became of them."""
        return self.study.chosen

    def command(self, only: str = "") -> str:
        """The command that runs what is left, with all options of this plan; `only` these
        trials."""
        more = f" --only {shlex.quote(only)}" if only else ""
        on = f" --on {shlex.quote(self.profile.name)}" if self.named else ""
        return self.study.to("sweep") + more + on

    @property
    def experiment(self) -> Experiment:
        """The manifest's content."""
        return self.study.manifest.experiment

    @cached_property
    def status(self) -> SweepStatus:
        """The state of every chosen trial."""
        return read_status(self.study.chosen, self.study.store, self.study.changes.changed)

    @cached_property
    def left(self) -> list[Trial]:
        """Chosen trials that a sweep would run."""
        return [one.trial for one in self.status.left]

    @cached_property
    def cost(self) -> SweepCost:
        """Of what is left to run."""
        models = {model.name: model for t in self.left for model in (t.model, t.start)}
        fetched = [name for name, card in models.items() if is_here(card)]
        left, longest = map(to_pay, self.status.left), self._prompts[0]
        return sweep_cost(left, self.profile, self.rates, fetched, longest)

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """Rates of this store's own records on this profile."""
        return rates_of(self.study, self.profile)

    @cached_property
    def shapes(self) -> dict[tuple[Hashable, ...], list[Trial]]:
        """Trials that lie on the hardware in the same way (`zoo.resources.shape`)."""
        groups: dict[tuple[Hashable, ...], list[Trial]] = {}
        for trial in self.study.chosen:
            groups.setdefault(shape(trial), []).append(trial)
        return groups

    @cached_property
    def _prompts(self) -> tuple[dict[str, int], Prompts]:
        """Prompt lengths of the chosen trials, where counted."""
        return remembered(self.study.chosen, self.study)

    def placement(self, trial: Trial) -> Placement:
        """How a trial lies on the chosen profile."""
        return place(trial, self.profile, prompt=self._prompts[0].get(trial.id))

    def one_cost(self, trial: Trial) -> TrialCost:
        """What one trial costs from round 0."""
        return sweep_cost([trial], self.profile, self.rates, (), self._prompts[0]).trials[0]

    @cached_property
    def lengths(self) -> dict[str, tuple[float, float]]:
        """Model -> mean response tokens over training that are assumed, least and most of its arms
        that are left to run."""
        arms: dict[tuple[object, ...], Trial] = {}
        for t in self.left:
            if t.trainer == "trl" and not t.simulated:
                arms.setdefault((t.model.name, t.reward.name, t.data.name, t.rounds, t.cap), t)
        found: dict[str, list[float]] = {}
        for t in arms.values():
            found.setdefault(t.model.name, []).append(expected(t).mean(t.rounds))
        return {model: (min(means), max(means)) for model, means in found.items()}

    def cards(self, trial: Trial) -> dict[str, Placement]:
        """How a trial fits each profile that names a kind of GPU."""
        catalog = self.study.catalog
        known = [catalog.get(ComputeProfile, name) for name in catalog.names(ComputeProfile)]
        kinds = [profile for profile in known if profile.gpu]
        return fits_each(trial, kinds, self._prompts[0].get(trial.id))

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """Every metric that the study will have."""
        return metrics_of(self.study.trials)

    @cached_property
    def powers(self) -> list[Power]:
        """What each verdict of each claim can detect."""
        experiment = self.experiment
        if not experiment.claims:
            return []
        asked = {name for claim in experiment.claims for name in claim.metrics}
        known = [self.metrics[name] for name in sorted(asked) if name in self.metrics]
        measured = spreads(self.study.store, known, last_k(experiment.final))
        return powers_of(experiment, self.study.trials, measured)

    @cached_property
    def warnings(self) -> list[PlanWarning]:
        """What to think about before paying."""
        study, experiment = self.study, self.experiment
        found = warnings(
            experiment,
            study.trials,
            self.powers,
            estimate=self.estimate,
            upper=self.upper,
            overlaps=overlaps(study.chosen, study.resolver.questions),
            chosen=study.chosen,
            prompts=self._prompts[1],
        )
        recipe = partial(study.catalog.get, RecipeCard)
        found += override_warnings(
            experiment, study.trials, recipe, study.manifest.last, study.chosen
        )
        found += engine_warnings(experiment, study.chosen, self.profile)
        return [replace(w, text=study.words.with_cards(w.text)) for w in found]

    @cached_property
    def later(self) -> list[Trial]:
        """Trials of the looks after this one, which run only while a claim is open."""
        study, looks = self.study, self.experiment.looks
        if looks is None or study.manifest.look == len(looks.sizes):
            return []
        whole = replace(study.manifest, look=len(looks.sizes))
        trials, here = expand(whole, study.catalog, study.resolver), set(study.manifest.seeds)
        return [trial for trial in trials if trial.seed not in here]

    @cached_property
    def cost_at_most(self) -> SweepCost:
        """Of what is left to run and all looks after this one."""
        left = [*map(to_pay, self.status.left), *self.later]
        return sweep_cost(left, self.profile, self.rates)

    @cached_property
    def budget(self) -> BudgetState | None:
        """What of the study's budget is spent, and what it holds back."""
        return budget_state(self.study, self.status, self.profile, self._prompts[0])

    @property
    def spent(self) -> dict[str, float]:
        """What was spent before, by names of a budget."""
        return {one.name: one.spent for one in self.budget.levels} if self.budget else {}

    @property
    def estimate(self) -> dict[str, float]:
        """Figures that a budget can limit, by its names: of what is left, and what was spent."""
        return {name: mid for name, (mid, _) in self._spending.items()}

    @property
    def upper(self) -> dict[str, float]:
        """The upper ends of these estimates."""
        return {name: high for name, (_, high) in self._spending.items()}

    @property
    def _spending(self) -> dict[str, tuple[float, float]]:
        """The estimate and the upper end of its range, by names of a budget."""
        cost = self.cost
        found = {"disk_gib": (cost.peak_bytes / GIB, cost.peak_bytes / GIB)}
        if cost.unit == "GPU-hours":
            found["gpu_hours"] = (cost.hours.mid, cost.hours.high)
        if cost.usd is not None:
            found["usd"] = (cost.usd.mid, cost.usd.high)
        if cost.wall_hours is not None:
            found["hours"] = (cost.wall_hours.mid, cost.wall_hours.high)
        spent = self.spent
        return {n: (m + spent.get(n, 0), h + spent.get(n, 0)) for n, (m, h) in found.items()}


def plan(
    path: str | Path,
    *,
    profile: str | None = None,
    overrides: Iterable[str] = (),
    only: Iterable[str] = (),
    cards: Iterable[str | Path] = (),
    rewards: Iterable[str | Path] = (),
    rehearse: bool = False,
    look: int | None = None,
) -> Plan:
    """Plan a manifest, as `zoo plan` does. Reads files and writes nothing.

    Args:
        path: of the manifest, or the name of one in `experiments/` or of a sweep that ran.
        profile: name of a compute profile (`--on`); None = the one that fits this machine.
        overrides: settings as `KEY=VALUE` (`--set`).
        only: filters as `AXIS=PATTERN` (`--only`).
        cards: folders of cards. rewards: Python files with a reward each.
        rehearse: plan the rehearsal.
        look: plan the next look of a manifest that adds seeds in looks; None = the current one.

    Raises:
        InputError: no such manifest, or faults in it or in its cards; all at once.
        StateError: a lock, record or journal that cannot be read.
    """
    options = PlanOptions(
        cards=tuple(map(str, cards)),
        sets=tuple(overrides),
        only=tuple(only),
        rehearse=rehearse,
        rewards=tuple(map(str, rewards)),
        look=look,
    )
    return plan_with(str(path), options, profile)


def plan_with(name: str, options: PlanOptions, profile: str | None) -> Plan:
    """As `plan`, with the options of a command line."""
    study = load_study(name, options)
    return Plan(study, profile_of(study.catalog, profile, None), profile is not None)


def is_here(card: ModelCard) -> bool:
    """Whether a model's weights lie on this machine."""
    try:
        model_folder(card)
    except InputError:
        return False
    return True
