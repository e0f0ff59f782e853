import pytest

from zoo.grading import Grader, Verdict
from zoo.rewards.functions import compute
from zoo.rewards.replay import Rollout, RolloutGroup, replay

PARAMS = {"right_boxed": 1.0, "right_plain": 1.0, "wrong_boxed": 0.0, "wrong_plain": 0.0}


@pytest.fixture(scope="module")
def grader():
    with Grader("simplerl") as grader:
        yield grader


def correctness(verdicts, completions, seed, params=PARAMS):
    return compute("matrix", verdicts, completions, params, seed)


def group(round, *rollouts):
    return RolloutGroup(round, 0, [Rollout("7", text, verdict, r) for text, verdict, r in rollouts])


RIGHT = (r"\boxed{7}", Verdict.CORRECT, 1.0)
WRONG = (r"\boxed{8}", Verdict.WRONG, 0.0)


def test_a_run_whose_rewards_do_not_change_is_adopted(grader):
    found = replay([group(1, RIGHT, WRONG), group(2, WRONG)], correctness, grader)
    assert found.adopted
    assert str(found) == "0 of 3 rewards change: run adopted"


def test_a_changed_verdict_without_a_changed_reward_adopts_the_run(grader):
    moved = (r"\boxed{8}", Verdict.NO_ANSWER, 0.0)
    found = replay([group(1, moved)], correctness, grader)
    assert found.adopted
    assert found.verdicts_changed == 1


def test_the_first_round_that_differs_is_named(grader):
    missed = (r"\boxed{7.0}", Verdict.WRONG, 0.0)
    rounds = [group(1, RIGHT), group(3, missed, WRONG), group(4, missed)]
    found = replay(rounds, correctness, grader)
    assert found.first_changed_round == 3
    assert str(found) == "2 of 4 rewards change: stale from round 3"


def test_an_unscored_rollout_that_stays_unscored_is_unchanged(grader):
    blank = RolloutGroup(1, 0, [Rollout("", "7", Verdict.BAD_GOLD, float("nan"))])
    assert replay([blank], correctness, grader).adopted


def test_a_replay_goes_on_where_it_was_left(grader):
    missed = (r"\boxed{7.0}", Verdict.WRONG, 0.0)
    rounds = [group(1, RIGHT), group(2, missed), group(3, RIGHT, missed)]
    at_once = replay(rounds, correctness, grader)
    before = replay(rounds[:1], correctness, grader)
    assert replay(rounds[1:], correctness, grader, before) == at_once
    assert (at_once.round, at_once.first_changed_round) == (3, 2)


def test_a_reward_gets_the_seed_of_its_group(grader):
    seeds = []

    def reward(verdicts, completions, seed):
        seeds.append(seed)
        return [0.0] * len(verdicts)

    replay([RolloutGroup(1, 5, []), RolloutGroup(1, 6, []), RolloutGroup(2, 7, [])], reward, grader)
    assert seeds == [5, 6, 7]
