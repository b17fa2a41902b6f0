"""The page that checks one title: its form, its result, and what can be done with the result."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Form, Request
from fastapi.responses import HTMLResponse, Response

from judul_lib.checking.matches import study_csv
from judul_lib.checking.typed_title import MAX_TITLE_LENGTH
from judul_lib.core.errors import ArgumentError, JudulError
from judul_lib.core.formatting import format_number
from judul_lib.core.settings import MODEL_TITLES
from judul_lib.core.storage import csv_with_escaped_formulas
from judul_lib.core.texts import page_text
from judul_lib.usage.log import Feedback
from judul_lib.web import decided, sheets
from judul_lib.web.access import AnyVisitor, Manager, Visitor
from judul_lib.web.rendering import is_fragment, render
from judul_lib.web.service import MAX_RESULTS, Service
from judul_lib.web.title_results import (
    Asked,
    ShownResult,
    archive_choices,
    csv_rows,
    ranking_sentences,
    show_result,
)

router = APIRouter()
_CSV = "text/csv; charset=utf-8"


@dataclass(frozen=True)
class TypedForm:
    """The fields of the form as typed, so that it can be shown again."""

    judul: Annotated[str, Form()] = ""
    arsip: Annotated[str, Form()] = ""
    ambang: Annotated[str, Form()] = ""
    ambang_bawaan: Annotated[str, Form()] = ""
    tahun: Annotated[str, Form()] = ""
    jumlah: Annotated[str, Form()] = ""

    @property
    def has_own_threshold(self) -> bool:
        """Whether the threshold was changed; browsers send the 0.50 of the form as 0.5."""
        try:
            return float(self.ambang.replace(",", ".")) != float(self.ambang_bawaan)
        except ValueError:
            return bool(self.ambang.strip())

    @property
    def shown_threshold(self) -> str:
        """The threshold for readers, as the script writes it."""
        try:
            return format_number(_number(self.ambang, "threshold_wrong"), 2)
        except ArgumentError:
            return self.ambang

    def asked(self, default_count: int) -> Asked:
        """Return what is asked.

        Raises
        ------
        ArgumentError
            A number is none.
        """
        return Asked(
            self.judul,
            self.arsip or None,
            _number(self.ambang, "threshold_wrong") if self.has_own_threshold else None,
            self.tahun[:40],
            int(min(max(_number(self.jumlah or default_count, "count_wrong"), 1), MAX_RESULTS)),
        )


def _number(text: object, problem: str) -> float:
    try:
        number = float(str(text)[:40].replace(",", "."))
    except ValueError as error:
        raise ArgumentError(page_text(problem)) from error
    if number != number:
        raise ArgumentError(page_text(problem))
    return number


Typed = Annotated[TypedForm, Depends()]


@router.get("/", response_class=HTMLResponse)
def show_form(request: Request, visitor: AnyVisitor) -> HTMLResponse:
    """Show the form."""
    return _page(request, visitor, TypedForm())


@router.post("/periksa", response_class=HTMLResponse)
def check_title(
    request: Request,
    visitor: AnyVisitor,
    tasks: BackgroundTasks,
    typed: Typed,
    ulang: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Check a title, and log the answer after it is sent.

    ``ulang`` says that only the threshold has changed since this title was checked, which is no
    further check for the log.
    """
    service = _service(request)
    try:
        shown = _check(service, visitor, typed)
    except JudulError as error:
        return _page(request, visitor, typed, problem=str(error))
    if not ulang:
        tasks.add_task(service.log_result, shown.result, "page", user=visitor.user)
    return _page(request, visitor, typed, shown)


@router.post("/model", response_class=HTMLResponse)
def compare_models(request: Request, visitor: AnyVisitor, typed: Typed) -> HTMLResponse:
    """Show what every model says of a checked title; no further check for the log."""
    try:
        shown = _check(_service(request), visitor, typed)
    except JudulError as error:
        return _page(request, visitor, typed, problem=str(error))
    return _page(request, visitor, typed, shown, with_models=True)


@router.post("/pendapat", response_class=HTMLResponse)
def note_opinion(
    request: Request,
    visitor: AnyVisitor,
    typed: Typed,
    tepat: Annotated[str, Form()] = "",
    nilai: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Log a visitor's opinion of a verdict, which is computed again and not taken from the form."""
    service = _service(request)
    try:
        _log_opinion(service, visitor, typed, tepat, nilai)
    except JudulError as error:
        return _said(request, visitor, typed, problem=str(error))
    thanks = page_text("thanks_text" if service.config.log_text else "thanks")
    return _said(request, visitor, typed, notice=thanks)


def _log_opinion(service: Service, visitor: Visitor, typed: TypedForm, right: str, rated: str) -> None:
    is_right = {"ya": True, "tidak": False}.get(right)
    rating = int(rated) if rated in ("1", "2", "3", "4", "5") else None
    if service.log is None or (is_right is None and rating is None):
        raise ArgumentError(page_text("opinion_wrong"))
    shown = _check(service, visitor, typed)
    decision = shown.result.matches.decision
    if not len(decision):
        raise ArgumentError(page_text("no_titles"))
    verdict = decision.labels[0], float(decision.probability[0]), decision.threshold
    pair = shown.result.title, decision.titles[0]
    feedback = Feedback(shown.result.model, *verdict, is_right, rating, *pair, visitor.user)
    if not service.log.log_feedback(feedback):
        raise ArgumentError(page_text("opinion_failed"))


@router.post("/keputusan", response_class=HTMLResponse)
def note_decision(
    request: Request,
    visitor: Manager,
    typed: Typed,
    ref: Annotated[str, Form()] = "",
    keputusan: Annotated[str, Form()] = "",
    oleh: Annotated[str, Form()] = "",
    alasan: Annotated[str, Form()] = "",
) -> HTMLResponse:
    """Enter a decision on the title and one of the archive, and show the result anew."""
    service = _service(request)
    entered = decided.EnteredDecision(typed.judul, ref, keputusan, oleh, alasan)
    notice = problem = ""
    try:
        notice = decided.enter(service, visitor, entered)
    except JudulError as error:
        problem = str(error)
    try:
        shown = _check(service, visitor, typed)
    except JudulError as error:
        return _page(request, visitor, typed, problem=str(error))
    status = 422 if problem else 200
    return _page(request, visitor, typed, shown, notice=notice, decision_problem=problem, status=status)


@router.post("/unduh")
def download(
    request: Request,
    visitor: AnyVisitor,
    typed: Typed,
    isi: Annotated[str, Form()] = "",
) -> Response:
    """Return the shown titles, or with ``isi=semua:MODEL`` all titles of the archive, as CSV.

    Raises
    ------
    ArgumentError
        There is no title to download.
    """
    service = _service(request)
    shown = _check(service, visitor, typed)
    title = sheets.file_stem(shown.result.title)
    kind, _, model = isi.partition(":")
    if kind != "semua":
        rows = csv_rows(shown)
        if not rows:
            raise ArgumentError(page_text("no_titles"))
        content, name = csv_with_escaped_formulas(rows).encode("utf-8-sig"), f"{title}.csv"
        return Response(content, media_type=_CSV, headers=sheets.attachment(name))
    checker = shown.result.archive.checkers.get(model, shown.result.checker)
    matches = checker.check(shown.result.title)
    if (decisions := service.decisions()) is not None:
        matches = decisions.apply(shown.result.title, matches)
    content = study_csv(matches.with_threshold(shown.threshold))
    return Response(content, media_type=_CSV, headers=sheets.attachment(f"semua_{title}.csv"))


@router.post("/lembar")
def download_sheet(request: Request, visitor: AnyVisitor, typed: Typed) -> Response:
    """Return the result sheet of a title as one HTML file."""
    service = _service(request)
    shown = _check(service, visitor, typed)
    facts = sheets.sheet_facts(service, shown)
    content = sheets.title_sheet(shown, facts, sheets.seal_key(service))
    name = sheets.sheet_name(shown.result.title, facts)
    return Response(content, media_type="text/html; charset=utf-8", headers=sheets.attachment(name))


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _check(service: Service, visitor: Visitor, typed: TypedForm) -> ShownResult:
    asked = typed.asked(service.config.top_k)
    result = service.check(asked.title, asked.archive, user=visitor.user, count=asked.n_wanted)
    return show_result(result, asked)


def _said(
    request: Request, visitor: Visitor, typed: TypedForm, *, notice: str = "", problem: str = ""
) -> HTMLResponse:
    """Answer with a sentence; without script, with the page of the title and the sentence on it."""
    if is_fragment(request):
        values = {"notice": notice, "problem": problem}
        return render(request, "_said.html", status=422 if problem else 200, **values)
    try:
        shown = _check(_service(request), visitor, typed)
    except JudulError as error:
        return _page(request, visitor, typed, problem=problem or str(error))
    status = 422 if problem else 200
    return _page(request, visitor, typed, shown, notice=notice, decision_problem=problem, status=status)


def _page(
    request: Request,
    visitor: Visitor,
    typed: TypedForm,
    shown: ShownResult | None = None,
    *,
    problem: str = "",
    notice: str = "",
    decision_problem: str = "",
    with_models: bool = False,
    status: int = 200,
) -> HTMLResponse:
    """Show the form with a result or a problem; for the script, only the part that changes."""
    service = _service(request)
    request.state.visitor = visitor
    result: dict[str, Any] = {
        "shown": shown, "problem": problem, "notice": notice, "decision_problem": decision_problem,
        "typed": typed, "has_log": service.log is not None, "missing": service.missing,
        "ranking_sentences": ranking_sentences, "model_titles": MODEL_TITLES,
        "max_decision_text": decided.MAX_TEXT_LENGTH, "with_models": with_models,
    }  # fmt: skip
    status = 422 if problem else status
    if is_fragment(request):
        part = "_problem.html" if problem else "_models.html" if with_models else "_result.html"
        return render(request, part, status=status, **result)
    form = {**result, "max_length": MAX_TITLE_LENGTH, **_form_values(service, typed, visitor)}
    return render(request, "title.html", status=status, **form)


def _form_values(service: Service, typed: TypedForm, visitor: Visitor) -> dict[str, Any]:
    choices = archive_choices(service.archives)
    chosen = typed.arsip if any(name == typed.arsip for name, _ in choices) else choices[0][0]
    default = f"{_default_threshold(service, chosen):.2f}"
    shown = replace(typed, arsip=chosen, ambang=typed.ambang if typed.has_own_threshold else default)
    user = service.log.hash(visitor.user) if service.log is not None else ""
    privacy = "privacy_text" if service.config.log_text else "privacy"
    return {
        "typed": replace(shown, ambang_bawaan=default, jumlah=typed.jumlah or str(service.config.top_k)),
        "choices": choices, "max_count": MAX_RESULTS,
        "privacy": page_text(privacy, user=user) if user else "",
    }  # fmt: skip


def _default_threshold(service: Service, archive: str) -> float:
    """Return the threshold of an archive if it is open, else that of the configuration."""
    if service.archives.known_size(archive) is None:
        return service.config.threshold
    try:
        return next(iter(service.archives.open(archive).checkers.values())).threshold
    except JudulError:
        return service.config.threshold
