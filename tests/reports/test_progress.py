"""The estimate of a run, and the line that shows it."""

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from judul_lib.cli.run import _Display, time_left
from judul_lib.reports.pipeline import STAGES
from judul_lib.reports.progress import RunEstimate, measured_seconds
from judul_lib.reports.runner import CellPosition

SECONDS = st.floats(0.1, 1000)


@given(usual=st.lists(SECONDS, min_size=1, max_size=8), factor=st.floats(0.1, 10), within=SECONDS)
def test_a_run_comes_closer_to_its_end_with_each_notebook(usual, factor, within):
    names = list(map(str, range(len(usual))))
    estimate = RunEstimate(dict(zip(names, usual, strict=True)))
    shares = [estimate.share_done()]
    for name, seconds in zip(names, usual, strict=True):
        assert 0 <= estimate.seconds_left(within) <= estimate.seconds_left()
        assert shares[-1] <= estimate.share_done(0.5) + 1e-9
        estimate.finish(name, factor * seconds)
        shares.append(estimate.share_done())
    assert shares == sorted(shares)
    assert abs(shares[-1] - 1) < 1e-6
    assert estimate.seconds_left() < 1e-6


def test_a_slow_machine_is_noticed():
    estimate = RunEstimate({"01": 1000, "02": 100})
    estimate.finish("01", 3000)
    assert 280 < estimate.seconds_left() < 300
    estimate = RunEstimate({"01": 1000, "02": 100})
    estimate.finish("01", None)  # It did not run, which tells nothing.
    assert estimate.seconds_left() == 100


def test_the_executed_copy_tells_how_long_a_notebook_took(tmp_path):
    path = tmp_path / "01.ipynb"
    assert measured_seconds(path) is None
    for content, expected in [
        ({"metadata": {"papermill": {"duration": 3.5}}}, 3.5),
        ({"metadata": {"papermill": {"duration": None}}}, None),
        ({"metadata": {}}, None),
        ([], None),
    ]:
        path.write_text(json.dumps(content))
        assert measured_seconds(path) == expected


def test_a_remaining_time_never_jumps_up_as_it_gets_shorter():
    texts = [time_left(seconds) for seconds in range(200)]
    assert texts[0] == "sekitar 5 detik lagi"
    assert texts[54:57] == ["sekitar 55 detik lagi", "sekitar 55 detik lagi", "sekitar 1 menit lagi"]
    assert texts[-1] == "sekitar 3 menit lagi"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_the_cell_its_section_and_the_time_left(tmp_path, monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    copy = tmp_path / STAGES[0].executed
    copy.parent.mkdir()
    copy.write_text(json.dumps({"metadata": {"papermill": {"duration": 130}}}))
    with _Display(STAGES[:1], tmp_path) as display:
        display.show_cell(STAGES[0], CellPosition(2, 4, "Membaca berkas"))
        display.show_stage(STAGES[0], 1.25, tmp_path / "01_preprocessing.html")
    assert " 50 % " in terminal.getvalue()
    place = "sekitar 2 menit lagi · 01_preprocessing, sel 3/4: Membaca berkas"
    assert place in terminal.getvalue()
    line = capsys.readouterr().out
    assert line.split() == ["01_preprocessing", "1,2", "s", str(tmp_path / "01_preprocessing.html")]
