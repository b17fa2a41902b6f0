"""The workflows of GitHub Actions, as far as they can be checked without GitHub."""

import os
import re
import subprocess

import pytest
import yaml

from tests.conftest import PROJECT

FOLDER = PROJECT / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
# YAML 1.1 reads the key `on` as true.
TRIGGERS = True
JOBS = [
    pytest.param(job, id=f"{name}-{job_name}")
    for name, workflow in WORKFLOWS.items()
    for job_name, job in workflow["jobs"].items()
]


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("job", JOBS)
def test_every_step_runs_a_command_or_an_action_of_a_fixed_version(job):
    for step in job["steps"]:
        assert ("run" in step) != ("uses" in step), step
        if "uses" in step:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), step


@pytest.mark.parametrize("job", JOBS)
def test_commands_are_valid_shell_and_call_what_exists(job):
    for command in commands(job):
        # GitHub replaces its expressions before the shell sees them.
        shell = re.sub(r"\$\{\{.*?\}\}", "x", command)
        result = subprocess.run(["bash", "-n", "-c", shell], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        for target in re.findall(r"\bmake ([a-z-]+)", command):
            environment = {**os.environ, "MAKEFLAGS": ""}
            result = subprocess.run(
                ["make", "--dry-run", target], cwd=PROJECT, env=environment, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert result.returncode == 0, result.stderr
        for script in re.findall(r"\bbash (\S+)", command):
            assert (PROJECT / script).is_file(), script


def test_needs_and_conditions_name_jobs_and_workflows_that_exist():
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= set(workflow["jobs"])
        names = (workflow[TRIGGERS] if isinstance(workflow[TRIGGERS], dict) else {}).get("workflow_run")
        if names:
            assert set(names["workflows"]) <= {other["name"] for other in WORKFLOWS.values()}


def test_only_what_passed_on_main_is_deployed():
    deploy = WORKFLOWS["deploy.yml"]
    assert list(deploy[TRIGGERS]) == ["workflow_run"]
    assert deploy[TRIGGERS]["workflow_run"] == {
        "workflows": ["CI"], "types": ["completed"], "branches": ["main"],
    }  # fmt: skip
    for name, job in deploy["jobs"].items():
        if "needs" in job:
            continue
        assert "workflow_run.conclusion == 'success'" in job["if"], name
        assert "workflow_run.event == 'push'" in job["if"], name
        [checkout] = [
            step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout")
        ]
        assert checkout["with"]["ref"] == "${{ github.event.workflow_run.head_sha }}"


def test_permissions_are_given_to_single_jobs_and_no_secret_but_the_own_token_is_used():
    deploy = WORKFLOWS["deploy.yml"]
    assert deploy["permissions"] == {}
    writable = {
        name: {key for key, value in job["permissions"].items() if value == "write"}
        for name, job in deploy["jobs"].items()
    }
    assert writable == {
        "image": {"packages", "id-token", "attestations"},
        "reports": set(),
        "pages": {"pages", "id-token"},
    }
    assert WORKFLOWS["ci.yml"]["permissions"] == {"contents": "read"}
    for path in FOLDER.glob("*.yml"):
        assert set(re.findall(r"secrets\.(\w+)", path.read_text())) <= {"GITHUB_TOKEN"}


def test_settings_that_the_documentation_explains_are_those_of_the_workflow():
    text = (PROJECT / "docs" / "deploy.md").read_text()
    for word in ("deploy.yml", "ghcr.io", "Settings → Pages", "GITHUB_TOKEN", "gh attestation verify"):
        assert word in text
