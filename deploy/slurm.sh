#!/bin/bash
# A whole sweep in one Slurm job, on one node, through Ray: sbatch deploy/slurm.sh MANIFEST --on h100x8
# Options of zoo sweep follow; the last value of an #SBATCH line can be given to sbatch as well. For one
# job a trial, with nothing to wait for whole nodes: docs/how-to/slurm.md.
#SBATCH --job-name=zoo
#SBATCH --output=zoo-%j.txt
#SBATCH --open-mode=append
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
# Ahead of the time limit by the profile's grace_s and a minute; grace_s: 300 in a profile of yours.
#SBATCH --signal=B:USR1@360

# `zoo` of the full installation, e.g. ZOO=.venv/bin/zoo sbatch ...
zoo=${ZOO:-zoo}
again=no

$zoo sweep "$@" &
sweep=$!
trap 'again=yes; kill -TERM $sweep' USR1 # the time is up: save, and go on in another run of this job
trap 'kill -TERM $sweep' TERM            # cancelled, or preempted: save

status=0
while kill -0 $sweep 2>/dev/null; do # a signal ends the waiting, not the sweep
  wait $sweep
  status=$?
done
if [ $again = yes ] && [ $status -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit $status
