"""Whether a trial finds room on a cluster, by Ray's picture of it and what was started since."""

from __future__ import annotations

import pytest

from zoo.executors.cluster_room import LAG_S, Capacity, ClusterRoom, Shape

NODE = Capacity(cpus=32, gpus=8)
NARROW = Shape(1, Capacity(4, 1))
WIDE = Shape(1, Capacity(32, 8))
TWO_NODES = Shape(2, Capacity(32, 8))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock) -> ClusterRoom:
    made = ClusterRoom(clock)
    made.update({"a": NODE, "b": NODE})
    return made


def test_room_counts_what_was_started_and_is_not_in_the_picture(room: ClusterRoom) -> None:
    room.start("one", NARROW)
    assert room.fits(WIDE)
    assert not room.fits(TWO_NODES)  # the narrow one takes a part of either
    room.start("wide", WIDE)
    assert not room.fits(WIDE)
    assert room.fits(NARROW)  # beside the first narrow one


def test_narrow_tasks_share_a_node_so_that_a_wide_one_keeps_its_own(room: ClusterRoom) -> None:
    for number in range(8):
        room.start(f"narrow-{number}", NARROW)
    assert room.fits(WIDE)
    room.start("narrow-8", NARROW)
    assert not room.fits(WIDE)


def test_room_forgets_a_task_once_the_picture_has_it(room: ClusterRoom, clock: Clock) -> None:
    room.start("wide", WIDE)
    room.begin("wide")
    taken = {"a": Capacity(0, 0), "b": NODE}
    room.update(taken)
    assert not room.fits(WIDE)  # it may be another's work that the picture shows
    seen = room.changes
    clock.now += LAG_S + 0.1
    room.update(taken)
    assert room.changes > seen  # so that a queue that waits looks again
    assert room.fits(WIDE)


def test_room_that_does_not_change_is_not_looked_at_again(room: ClusterRoom) -> None:
    seen = room.changes
    room.update({"a": NODE, "b": NODE})
    assert room.changes == seen
    room.update({"a": NODE})
    assert room.changes > seen


def test_task_may_wait_for_the_work_of_others_where_nothing_of_the_sweep_runs(
    room: ClusterRoom,
) -> None:
    room.update({})
    assert room.fits(TWO_NODES)
    room.start("one", NARROW)
    assert not room.fits(NARROW)
    room.end("one")
    assert room.fits(NARROW)


def test_parts_of_a_gpu_add_up() -> None:
    room = ClusterRoom()
    room.update({"a": Capacity(8, 1)})
    third = Shape(1, Capacity(1, 1 / 3))
    for number in range(3):
        assert room.fits(third)
        room.start(str(number), third)
    assert not room.fits(third)
