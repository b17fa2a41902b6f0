"""Refusals as problem documents."""

import json

import pytest

from judul_lib.core import errors
from judul_lib.core.texts import page_text
from judul_lib.web import problems
from judul_lib.web.answers import Problem
from tests.conftest import PROJECT

KINDS = pytest.mark.parametrize("kind", problems.PROBLEM_KINDS, ids=lambda kind: kind.slug)


@KINDS
def test_each_kind_is_described_on_the_page_and_in_the_document(kind):
    assert page_text("problem_" + kind.slug.replace("-", "_")).endswith(".")
    document = (PROJECT / "docs" / "interface.md").read_text(encoding="utf-8")
    assert f'<a id="{kind.slug}"></a>' in document
    assert f"| {kind.status} | {kind.title} |" in document


@KINDS
def test_answer_is_a_problem_document(kind):
    fields = [{"field": "title", "detail": "Terlalu panjang."}]
    answer = problems.problem_response(kind, "Sebabnya.", errors=fields, headers={"Retry-After": "3"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "3"
    found = Problem.model_validate_json(answer.body)
    assert (found.status, found.detail, len(found.errors)) == (answer.status_code, "Sebabnya.", 1)
    assert found.type == f"/docs#{kind.slug}"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.TitleError, problems.UNUSABLE),
        (errors.ArchiveError, problems.UNUSABLE),
        (errors.JobError, problems.NOT_FOUND),
        (errors.BusyError, problems.UNAVAILABLE),
        (errors.LogError, problems.UNAVAILABLE),
        (errors.IndexFileError, problems.UNAVAILABLE),
    ],
)
def test_sentence_of_an_error_is_the_detail(error, kind):
    answer = problems.answer_judul_error(None, error("Arsip itu tidak ada."))
    found = json.loads(answer.body)
    assert (found["title"], found["detail"]) == (kind.title, "Arsip itu tidak ada.")
    assert ("retry-after" in answer.headers) == (kind is problems.UNAVAILABLE)


def test_unknown_statuses_are_answered():
    assert json.loads(problems.problem_of_status(418).body)["status"] == 400
    assert json.loads(problems.problem_of_status(502).body)["status"] == 500


def test_every_text_of_an_invalid_field_can_be_filled_in():
    limits = {"max_length": 5, "min_length": 1, "ge": 0, "le": 1}
    for key in problems.SENTENCES.values():
        assert "{" not in page_text(key, **limits)
