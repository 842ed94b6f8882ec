"""Settings of all tests; their fixtures are in `helpers/fixtures.py`."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run. On a busy machine any of them may be slow.
_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
for _profile, _examples in (("quick", 60), ("thorough", 200)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=_SLOW,
    )
settings.load_profile("quick")
# The time zone of servers on stdio is otherwise the developer's.
os.environ["TZ"] = "UTC"
# Workers and the processes that tests start import the same modules, so each should be compiled only once.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    # The process that only hands tests out to workers need not wait for all that they import.
    if not config.getoption("numprocesses", 0):
        config.pluginmanager.import_plugin("helpers.fixtures")
