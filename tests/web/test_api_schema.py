"""Generated requests to the interface: none fails, and answers are as its description says."""

from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks

from judul_lib.core.config import Config
from judul_lib.web import jobs
from judul_lib.web.api_access import RateLimit
from judul_lib.web.app import create_app
from judul_lib.web.service import Service
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow
HOST = {"Host": "localhost"}


OPERATIONS = [
    "POST /check", "POST /batch", "GET /jobs/{job_id}", "DELETE /jobs/{job_id}",
    "GET /jobs/{job_id}/result", "GET /archives", "GET /health", "GET /version",
]  # fmt: skip


@pytest.fixture(scope="module")
def operations(tmp_path_factory):
    """Return the described operations by method and path.

    A title without words and an unknown archive are refused, though the description allows them.
    """
    service = Service(Config(log=False, models=PROJECT / "outputs"))
    service.jobs = jobs.JobStore(tmp_path_factory.mktemp("jobs"))  # Nobody runs them.
    app = create_app(service)
    app.state.rate_limit = RateLimit(rate=1e9, burst=10**9)
    for described in app.state.api_schema()["paths"].values():
        for operation in described.values():
            operation.pop("security", None)  # Nothing is asked here; test_api.py tries keys.
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=HOST)
    found = [result.ok() for result in schema.get_all_operations()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "MAX_WAITING", 10**9)
        patch.setattr(jobs, "MAX_WAITING_OF_ONE", 10**9)
        yield {f"{o.method.upper()} {o.path}": o for o in found}


def test_all_operations_are_tried(operations):
    assert sorted(operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("name", OPERATIONS)
def test_generated_requests_are_answered_as_described(operations, name, mode):
    operation, answered = operations[name], []

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def try_case(case):
        answer = case.call(headers=HOST)
        answered.append(answer.status_code)
        case.validate_response(answer, excluded_checks=[checks.positive_data_acceptance])

    with suppress(Unsatisfiable):  # Nothing is wrong with a request that has no parameters.
        try_case()
    assert answered or mode is GenerationMode.NEGATIVE
    assert 500 not in answered
