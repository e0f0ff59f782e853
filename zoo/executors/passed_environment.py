"""Variables of the driver's environment that its trials on other machines get as well.

They travel in memory, from the driver to the supervisors of trials, and into no file: a token for
the model hub is among them. Settings of a profile (`env`) need none of this.
"""

from __future__ import annotations

from collections.abc import Mapping

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
NAMES = frozenset(
    (
        "HF_TOKEN",
        "HF_HOME",
        "HF_HUB_CACHE",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
        "HF_DATASETS_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        *PROXIES,
        *(name.lower() for name in PROXIES),  # as curl reads them
        "SSL_CERT_FILE",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    )
)
OWN = "ZOO_"
STAYS = frozenset(("ZOO_LAUNCH", "ZOO_LAUNCHER_PIPE", "ZOO_SWEEP"))
"""Of zoo's own those of one process."""


def passed(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that trials get."""
    return {
        name: value
        for name, value in environment.items()
        if name in NAMES or (name.startswith(OWN) and name not in STAYS)
    }
