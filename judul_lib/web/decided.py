"""Decisions of a committee, entered on the page by those who may."""

from dataclasses import dataclass

from judul_lib.core.errors import ArgumentError
from judul_lib.core.pseudonyms import keyed_hash, log_key
from judul_lib.core.texts import page_text
from judul_lib.governance import decisions
from judul_lib.web.access import Visitor
from judul_lib.web.service import Service

UNDO = "cabut"
MAX_TEXT_LENGTH = 500


@dataclass(frozen=True)
class EnteredDecision:
    """A decision as it is entered.

    Attributes
    ----------
    title, other : str
        The checked title, and the title of the archive.
    decision : {"bukan-duplikat", "sama", "cabut"}
    by : str
        Who decided.
    reason : str
    """

    title: str
    other: str
    decision: str
    by: str
    reason: str


def enter(service: Service, visitor: Visitor, entered: EnteredDecision) -> str:
    """Store a decision, or take one back; return a sentence that says so.

    Raises
    ------
    ArgumentError, LogError
        It is incomplete, there is none to take back, or the database cannot be used; nothing is stored.
    """
    if max(len(entered.by), len(entered.reason)) > MAX_TEXT_LENGTH:
        raise ArgumentError(page_text("decision_long", most=MAX_TEXT_LENGTH))
    if not entered.reason.strip():
        raise ArgumentError(page_text("decision_no_reason"))
    config = service.config
    config.logs.mkdir(parents=True, exist_ok=True)
    key = log_key(config.logs)
    actor = keyed_hash(key, f"petugas {visitor.name or visitor.user}")
    pair, by, reason = (entered.title, entered.other), entered.by, entered.reason
    if entered.decision == UNDO:
        decisions.undo(service.database(), config.logs, *pair, by=by, reason=reason, actor=actor)
    else:
        decisions.decide(
            service.database(), config.logs, *pair, entered.decision,
            by=by, reason=reason, actor=actor, log_text=config.log_text,
        )  # fmt: skip
    service.decisions(anew=True)
    return page_text("decision_undone" if entered.decision == UNDO else "decision_stored")
