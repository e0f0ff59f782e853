"""The stack names versions without importing what they belong to."""

from __future__ import annotations

import platform
import subprocess
import sys

from zoo.store import stack as stacks


def test_a_stack_is_four_versions_and_the_compile_switch() -> None:
    found = stacks.stack("vllm", {"TORCH_COMPILE_DISABLE": "1"})
    assert set(found) == {"torch", "transformers", "trl", "vllm", "compile"}
    assert found["compile"] == "off"
    assert stacks.stack("vllm", {})["compile"] == "on"
    assert all(v == "absent" or v.count(".") == 1 for k, v in found.items() if k != "compile")


def test_stack_of_the_transformers_engine_names_it_and_no_vllm() -> None:
    with_vllm, without = stacks.stack("vllm", {}), stacks.stack("transformers", {})
    assert set(without) == {"torch", "transformers", "trl", "engine", "compile"}
    assert without["engine"] == "transformers"
    assert f"vllm {with_vllm['vllm']} -> absent" in stacks.differences(with_vllm, without)


def test_a_package_that_is_not_there_is_absent() -> None:
    assert stacks.package_version("no-such-package-anywhere") == "absent"


def test_telling_the_stack_imports_none_of_it() -> None:
    code = (
        "import sys; from zoo.store.stack import stack, provenance; stack('vllm'); provenance(); "
        "print([m for m in ('torch', 'transformers', 'trl', 'vllm', 'ray') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_provenance_does_not_name_the_machine() -> None:
    assert platform.node() not in stacks.provenance().values()
    assert "host" not in stacks.provenance()
