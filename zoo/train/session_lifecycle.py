"""From a trial's lock to its record: whatever happens in a session, something tells of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zoo.errors import FailureClass, ZooError
from zoo.resources.memory_advice import advice
from zoo.store.failures import classify
from zoo.store.run_store import claim, full_text, is_full
from zoo.train.endings import Interrupted, Stopped
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.trainer.team import place_in_team

FIRST_WORD_S = 3.0
"""How long a failed trial of several processes waits with its record: where it failed for want of
another process, the launcher knows which, ends this one meanwhile and records that."""


@contextmanager
def open_session(job: Job) -> Iterator[Session]:
    """Hold the trial's lock, yield its session, and leave a record of whatever happens inside."""
    with claim(job.store.train(job.trial.id)):
        session = Session(job)
        try:
            yield session
        except Stopped as stopped:
            session.stop(stopped)
        except Interrupted:
            session.write_record("preempted", FailureClass.INTERRUPTED)
            raise
        except Exception as error:
            if is_full(error):
                with suppress(OSError):  # there may be room for a record
                    text = full_text(error, session.folder)
                    session.write_record("failed", FailureClass.DISK, text)
                raise
            known = isinstance(error, ZooError)
            if not known and place_in_team()[1] > 1:
                time.sleep(FIRST_WORD_S)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            kind = classify(error=error)
            if kind is FailureClass.OOM:
                asked = job.trial, job.profile, job.out_of_memory, job.longest_prompt
                text += "\n" + advice(*asked, message=text)
            session.write_record("failed", kind, text)
            raise
        finally:
            session.bench.close()
