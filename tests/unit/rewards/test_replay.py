from functools import partial

from zoo.grading import Verdict
from zoo.rewards import compute
from zoo.rewards.replay import Rollout, RolloutGroup, replay

PARAMS = {"right_boxed": 1.0, "right_plain": 1.0, "wrong_boxed": 0.0, "wrong_plain": 0.0}


def correctness(verdicts, completions, seed, params=PARAMS):
    return compute("matrix", verdicts, completions, params, seed)


def group(round, *rollouts):
    return RolloutGroup(round, 0, [Rollout("7", text, verdict, r) for text, verdict, r in rollouts])


RIGHT = (r"\boxed{7}", Verdict.CORRECT, 1.0)
WRONG = (r"\boxed{8}", Verdict.WRONG, 0.0)


def test_a_run_whose_rewards_do_not_change_is_adopted():
    found = replay([group(1, RIGHT, WRONG), group(2, WRONG)], correctness, "simplerl")
    assert found.adopted
    assert str(found) == "0 of 3 rewards change: run adopted"


def test_a_changed_verdict_without_a_changed_reward_adopts_the_run():
    moved = (r"\boxed{8}", Verdict.NO_ANSWER, 0.0)
    found = replay([group(1, moved)], correctness, "simplerl")
    assert found.adopted
    assert found.verdicts_changed == 1


def test_the_first_round_that_differs_is_named():
    missed = (r"\boxed{7.0}", Verdict.WRONG, 0.0)
    rounds = [group(1, RIGHT), group(3, missed, WRONG), group(4, missed)]
    found = replay(rounds, correctness, "simplerl")
    assert found.first_changed_round == 3
    assert str(found) == "2 of 4 rewards change: stale from round 3"
    assert replay(rounds, partial(correctness), "simplerl", stop_at_first=True).rewards_changed == 1


def test_an_unscored_rollout_that_stays_unscored_is_unchanged():
    blank = RolloutGroup(1, 0, [Rollout("", "7", Verdict.BAD_GOLD, float("nan"))])
    assert replay([blank], correctness, "simplerl").adopted
