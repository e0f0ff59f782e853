"""Which variables trials on other machines get of the driver's environment."""

from __future__ import annotations

from zoo.executors.passed_environment import passed


def test_trials_get_hub_proxy_and_own_variables_and_nothing_else() -> None:
    gets = {
        "HF_TOKEN": "t",
        "HF_HUB_OFFLINE": "1",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "localhost",
        "ZOO_SIMULATE": "sleep:1",
    }
    stays = {
        "WANDB_API_KEY": "w",
        "AWS_SECRET_ACCESS_KEY": "a",
        "MLFLOW_TRACKING_PASSWORD": "m",
        "hf_token": "no proxy",
        "PATH": "/bin",
        "CUDA_VISIBLE_DEVICES": "0",
        "ZOO_LAUNCH": "token",
        "ZOO_SWEEP": "token",
    }
    assert passed(gets | stays) == gets
