"""Answers reach the log in batches, in order, without making anybody wait."""

import threading

from judul_lib.usage.log import AnsweredQuery
from judul_lib.web import answer_queue
from judul_lib.web.answer_queue import AnswerQueue


class Recorder:
    """A log that remembers its batches, and may wait or fail."""

    def __init__(self):
        self.batches, self.free, self.fails = [], threading.Event(), False
        self.free.set()

    def log_predictions(self, queries, source):
        self.free.wait(10)
        if self.fails:
            self.fails = False
            raise RuntimeError("Judul Rahasia")
        self.batches.append((source, [query.title for query in queries]))


def answered(title):
    return AnsweredQuery(title, {}, 0.01)


def test_close_writes_all_that_wait_by_source_and_in_order():
    log = Recorder()
    answers = AnswerQueue(log)
    for number in range(1_200):
        assert answers.put(answered(f"{number}"), "api" if number % 3 == 0 else "page")
    answers.close()
    for source, rest in (("api", (0,)), ("page", (1, 2))):
        written = [title for own, titles in log.batches if own == source for title in titles]
        assert written == [f"{number}" for number in range(1_200) if number % 3 in rest]
    assert len(log.batches) < 20
    assert not answers.put(answered("terlambat"), "page")


def test_put_does_not_wait_for_a_log_that_hangs_and_refuses_what_is_too_much(monkeypatch):
    monkeypatch.setattr(answer_queue, "MAX_WAITING", 5)
    log = Recorder()
    log.free.clear()
    answers = AnswerQueue(log)
    accepted = [answers.put(answered(str(number)), "page") for number in range(2_000)]
    assert not accepted[-1]
    log.free.set()
    answers.close()
    assert sum(len(titles) for _, titles in log.batches) == sum(accepted)


def test_an_answer_that_cannot_be_logged_neither_ends_the_thread_nor_is_shown(capsys, monkeypatch):
    monkeypatch.setattr(answer_queue, "_SECONDS", 0.0)
    log = Recorder()
    log.fails = True
    answers = AnswerQueue(log)
    answers.put(answered("pertama"), "api")
    answers.put(answered("kedua"), "page")
    answers.close()
    assert ("page", ["kedua"]) in log.batches
    printed = capsys.readouterr().err
    assert "RuntimeError" in printed
    assert "Rahasia" not in printed
