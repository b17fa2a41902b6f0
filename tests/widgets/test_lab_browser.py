"""The panels of the notebooks in JupyterLab, in a real browser."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pandas as pd
import pytest

from judul_lib.checking.registry import TITLES_FILE
from judul_lib.labeling.session import answer_file, read_answers
from tests.conftest import PROJECT, copy_stored_models, open_page
from tests.page_process import free_port

CHECK_NOTEBOOK, LABELING_NOTEBOOK = "07_check_titles.ipynb", "11_labeling_tool.ipynb"
TITLE = "Peramalan Harga Rumah di Bekasi dengan Regresi Ridge"
OTHER = "Deteksi Penyakit Daun Padi dengan Convolutional Neural Network"
HOSTILE = "<img src=x onerror='window.hacked = 1'> Prediksi Harga Beras"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab on loopback, in a folder with both notebooks and the stored models."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "notebooks").mkdir()
    for name in (CHECK_NOTEBOOK, LABELING_NOTEBOOK):
        shutil.copy(PROJECT / "notebooks" / name, folder / "notebooks")
    copy_stored_models(folder / "outputs")
    port = free_port()
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
                "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
                f"--ServerApp.root_dir={folder}", "--LabApp.news_url=None",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            env={**os.environ, "PYTHONPATH": str(PROJECT), "HOME": str(folder)},
            stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/api").close()
                break
            except urllib.error.URLError:
                assert process.poll() is None, log.read_text()
                time.sleep(0.1)
        yield url, folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def opened(browser, url, notebook):
    """Open a notebook whose kernel is ready."""
    page = open_page(browser, viewport={"width": 1400, "height": 1000}, locale="id-ID")
    page.goto(f"{url}/lab/tree/notebooks/{notebook}?reset")
    page.locator(".jp-Notebook").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    return page


def choose(page, *items):
    """Choose an item of a menu."""
    page.get_by_role("menuitem", name=items[0], exact=True).first.click()
    # The name of an item in the accessibility tree ends with its keys.
    page.locator(".lm-Menu-itemLabel").get_by_text(items[1], exact=True).click()


def test_a_title_is_checked_in_the_notebook(browser, lab):
    url, _ = lab
    page = opened(browser, url, CHECK_NOTEBOOK)
    choose(page, "Run", "Run All Cells")
    panel = page.locator(".judul-page")
    title = panel.get_by_label("Judul yang diusulkan")
    title.wait_for()
    title.scroll_into_view_if_needed()
    verdict = panel.locator(".judul-vonis")

    title.fill(TITLE)
    panel.get_by_role("button", name="Periksa", exact=True).click()
    verdict.wait_for()
    assert "PREDIKSI HARGA RUMAH DI KOTA BEKASI" in verdict.text_content()
    assert panel.get_by_text("Hasil untuk judul:").is_visible()
    assert panel.locator(".judul-tabel tbody tr").count() == 10
    color = verdict.evaluate("element => getComputedStyle(element).backgroundColor")

    title.fill(OTHER)
    panel.get_by_text("hasil di bawah ini masih untuk judul tersebut").wait_for()
    earlier = verdict.evaluate("element => getComputedStyle(element).backgroundColor")
    assert earlier != color
    title.press("Enter")
    panel.locator("q", has_text=OTHER).wait_for()
    assert not panel.get_by_text("hasil di bawah ini masih untuk judul tersebut").is_visible()

    title.fill("Hoaks")
    title.press("Enter")
    panel.get_by_text("Judul itu terlalu pendek").wait_for()
    assert verdict.count() == 0

    title.press("ControlOrMeta+a")
    page.keyboard.type(HOSTILE)  # Typed quickly, key by key.
    title.press("Enter")
    panel.locator("q", has_text=HOSTILE).wait_for()
    panel.locator("select").first.select_option("Model Ringan")
    verdict.wait_for()

    rows = f"Nama,Judul\nAni,{TITLE}\nBudi,{HOSTILE}\n".encode()
    for _ in range(2):  # The same file may be given again.
        with page.expect_file_chooser() as chooser:
            panel.locator(".jupyter-widget-upload, .widget-upload").click()
        chooser.value.set_files({"name": "usulan.csv", "mimeType": "text/csv", "buffer": rows})
        panel.get_by_text("Dari 2 usulan, 2 diperiksa").wait_for()
        assert panel.locator(".judul-tabel").last.locator("tbody tr").count() == 2
        title.fill(OTHER)
        panel.locator("select").first.select_option("Model Terstruktur")
        panel.get_by_text("Pilihannya berganti").wait_for()
        panel.locator("select").first.select_option("Model Ringan")
    assert page.evaluate("window.hacked") is None
    page.context.close()


def test_pairs_are_labelled_by_keys_in_the_notebook_and_resumed(browser, lab):
    url, folder = lab
    titles = pd.read_csv(folder / "outputs" / "structured" / TITLES_FILE)["Judul"].tolist()
    path = answer_file(folder / "outputs" / "labels", "p1")

    def started():
        page = opened(browser, url, LABELING_NOTEBOOK)
        page.get_by_text("LabelingPanel(checker", exact=False).first.click()
        choose(page, "Run", "Run All Above Selected Cell")
        choose(page, "Run", "Run Selected Cell")
        panel = page.locator(".judul-page").first
        panel.get_by_label("Nama atau kode Anda").fill("P1")
        panel.get_by_role("button", name="Mulai").click()
        panel.locator(".judul-jawaban:focus").wait_for()  # Keys work without a click.
        return page, panel

    def shown_pair(panel):
        return tuple(panel.locator(".judul-pasangan dd").all_text_contents())

    def labels_after(panel, action, progress):
        action()
        panel.get_by_text(progress).wait_for()
        return [answer.label for answer in read_answers(path)]

    page, panel = started()
    first = shown_pair(panel)
    assert set(first) <= set(titles)
    assert not path.exists()
    labels_after(panel, lambda: panel.get_by_role("button", name="Tidak mirip").click(), "1 dari 50")
    assert labels_after(panel, lambda: page.keyboard.press("1"), "2 dari 50") == ["tidak", "mirip"]
    keys = labels_after(panel, lambda: page.keyboard.press("R"), "3 dari 50")
    assert keys == ["tidak", "mirip", "ragu"]
    third = shown_pair(panel)
    assert labels_after(panel, lambda: page.keyboard.press("u"), "2 dari 50") == ["tidak", "mirip"]
    assert panel.get_by_text("Dibatalkan: ragu").is_visible()
    assert shown_pair(panel) != third
    fourth = shown_pair(panel)
    page.context.close()

    page, panel = started()
    assert shown_pair(panel) == fourth
    keys = labels_after(panel, lambda: page.keyboard.press("t"), "3 dari 50")
    assert keys == ["tidak", "mirip", "tidak"]
    page.context.close()
