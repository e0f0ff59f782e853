"""Files that take zoo elsewhere: what can be checked without Docker, Kubernetes and Slurm."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.fake_slurm import OPTIONS
from zoo.catalog import Catalog, ComputeProfile

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


def instructions() -> list[tuple[str, str]]:
    """Instructions of the Dockerfile with their words."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def ignored(path: str) -> bool:
    """Whether `.dockerignore` keeps a file out of the build: the last line that matches decides."""
    found = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        pattern, keeps = line.removeprefix("!"), line.startswith("!")
        parts = [path, *map(str, Path(path).parents)]
        if any(fnmatch.fnmatch(part, pattern.replace("**/", "*")) for part in parts if part != "."):
            found = not keeps
    return found


def test_dockerfile_copies_what_exists_and_is_not_ignored() -> None:
    sources = {
        word for name, rest in instructions() if name == "COPY" for word in rest.split()[:-1]
    }
    assert {"zoo", "requirements", "pyproject.toml"} <= sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source
    for path in (".git/config", "runs/mlflow.db", ".venv/bin/python", "cards/profiles/mine.yaml"):
        assert ignored(path), path


def test_dockerfile_installs_by_the_documented_commands() -> None:
    names = ("README.md", "Makefile", "docs/how-to/containers.md")
    said = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)
    said = said.replace("$(INSTALL)", "pip install")
    ran = [rest for name, rest in instructions() if name == "RUN"]
    installs = [command for command in ran if command.startswith("pip install ")]
    assert len(installs) >= 4
    assert [command for command in installs if command not in said] == []
    assert set(ran) - set(installs) == {
        "useradd --create-home --uid 1000 zoo",
        "chown zoo:zoo /study",
    }
    addresses = re.findall(r"https?://\S+", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert addresses == ["https://download.pytorch.org/whl/cpu"]


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_image_runs_zoo_and_not_as_root(target: str) -> None:
    rest = instructions()
    start = next(i for i, (n, r) in enumerate(rest) if n == "FROM" and r.endswith(f" AS {target}"))
    stage = [rest[start]]
    for line in rest[start + 1 :]:
        if line[0] == "FROM":
            break
        stage.append(line)
    last = dict(stage)
    assert last["USER"] == "zoo"
    assert json.loads(last["ENTRYPOINT"]) == ["zoo"]
    assert last["WORKDIR"] == "/study"


def test_ray_cluster_is_what_rays_schema_allows() -> None:
    if (found := importlib.util.find_spec("ray")) is None or found.origin is None:
        pytest.skip("Ray is not installed")
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(found.origin).parent / "autoscaler/ray-schema.json").read_text())
    said = yaml.safe_load((DEPLOY / "ray-cluster.yaml").read_text())
    jsonschema.validate(said, schema)
    assert said["provider"]["type"] == "local"
    assert said["max_workers"] == len(said["provider"]["worker_ips"])
    for command in [*said["head_start_ray_commands"], *said["worker_start_ray_commands"]]:
        assert subprocess.run(["bash", "-n"], input=command, text=True).returncode == 0


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The specifications of a RayJob's pods."""
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_kuberay_job_runs_the_sweep_of_a_profile_on_one_shared_volume() -> None:
    claim, job = yaml.safe_load_all((DEPLOY / "kuberay-job.yaml").read_text())
    assert (claim["kind"], job["kind"], job["apiVersion"]) == (
        *("PersistentVolumeClaim", "RayJob", "ray.io/v1"),
    )
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    program, command, manifest, on, name = shlex.split(job["spec"]["entrypoint"])
    assert (program, command, on) == ("zoo", "sweep", "--on")
    profile = Catalog().get(ComputeProfile, name)
    assert (profile.executor, profile.address) == ("ray", "auto")
    images, mounts = set(), set()
    for pod in pods(job):
        assert pod["securityContext"]["runAsNonRoot"] is True
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["study"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        (container,) = pod["containers"]
        images.add(container["image"])
        (mount,) = (m["mountPath"] for m in container["volumeMounts"] if m["name"] == "study")
        mounts.add(mount)
        assert Path(manifest).is_relative_to(mount)
    assert (len(images), len(mounts)) == (1, 1)
    gpus = pods(job)[1]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"]
    assert int(gpus) == profile.gpus_per_node


def test_kuberay_job_has_the_locked_version_of_ray() -> None:
    _, job = yaml.safe_load_all((DEPLOY / "kuberay-job.yaml").read_text())
    locked = re.search(r"^ray==(.*)$", (ROOT / "requirements/gpu.txt").read_text(), re.MULTILINE)
    assert locked is not None
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == locked[1]


def test_slurm_script_is_bash_with_options_of_sbatch() -> None:
    text = (DEPLOY / "slurm.sh").read_text()
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
    said = re.findall(r"^#SBATCH --([\w-]+)", text, re.MULTILINE)
    assert set(said) <= OPTIONS
    assert {"signal", "requeue", "time", "nodes"} <= set(said)


def test_each_file_has_a_how_to() -> None:
    pages = {
        "slurm.sh": "slurm.md",
        "ray-cluster.yaml": "containers.md",
        "kuberay-job.yaml": "containers.md",
    }
    assert {path.name for path in DEPLOY.iterdir()} == set(pages)
    for file, page in pages.items():
        assert f"deploy/{file}" in (ROOT / "docs/how-to" / page).read_text(encoding="utf-8")
