"""Widgets of the page that ipywidgets lacks, usable by keyboard and screen reader.

A title field, a native slider, a sortable table, a file upload in pieces, and a
download button. They take titles as plain text.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from judul_lib.core.config import Config
from judul_lib.core.formatting import format_number
from judul_lib.core.texts import page_text

_SCRIPTS = Path(__file__).parent / "resources"


class TitleForm(anywidget.AnyWidget):
    """A field for a title, and the button that checks it; Enter checks, too.

    Parameters
    ----------
    on_submit : callable
        Called with the text; the button is disabled until it returns.
    texts : dict
        ``label``, ``placeholder``, ``hint``, ``button``, ``busy``.
    max_length : int
        Shown beside the current length; Python refuses longer text.
    answered : str
        The title that the shown answer belongs to, or ``""``; while the field holds another one, the
        element ``judul-satu`` has the class ``judul-lama``.
    """

    _esm = _SCRIPTS / "title_form.js"
    value = traitlets.Unicode().tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    answered = traitlets.Unicode().tag(sync=True)
    max_length = traitlets.Int(500).tag(sync=True)
    texts = traitlets.Dict().tag(sync=True)

    def __init__(self, on_submit: Callable[[str], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._on_submit = on_submit
        self.on_msg(self._received)

    def _received(self, _: Any, content: Any, __: Any) -> None:
        if content.get("kind") == "submit" and isinstance(content.get("value"), str):
            self.busy = True
            try:
                self._on_submit(content["value"])
            finally:
                self.busy = False
                self.send({"kind": "done"})


class RangeInput(anywidget.AnyWidget):
    """A native slider with its label and value."""

    _esm = _SCRIPTS / "range_input.js"
    label = traitlets.Unicode().tag(sync=True)
    value = traitlets.Float().tag(sync=True)
    min = traitlets.Float(0.0).tag(sync=True)
    max = traitlets.Float(1.0).tag(sync=True)
    step = traitlets.Float(0.01).tag(sync=True)
    decimals = traitlets.Int(2).tag(sync=True)


class SortableTable(anywidget.AnyWidget):
    """A table of `judul_lib.figures.result_html` with sortable columns and a selectable row."""

    _esm = _SCRIPTS / "sortable_table.js"
    html = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)


class FigureName(anywidget.AnyWidget):
    """Marks the figure beside it as one image with an accessible name."""

    _esm = _SCRIPTS / "figure_name.js"
    text = traitlets.Unicode().tag(sync=True)


class FileInput(anywidget.AnyWidget):
    """A file from the browser, sent in pieces.

    Parameters
    ----------
    on_file : callable
        Called with the file's name and bytes.
    label : str
    config : Config
        Its limits are shown; a larger file is refused before its first piece is sent.
    """

    _esm = _SCRIPTS / "file_input.js"
    texts = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        on_file: Callable[[str, bytes], object],
        *,
        label: str,
        config: Config,
    ) -> None:
        hint = page_text("upload_hint", mb=config.max_upload_mb, rows=format_number(config.max_rows))
        texts = {
            "label": label,
            "hint": hint,
            "choose": page_text("choose_file"),
            "sending": page_text("sending"),
        }
        super().__init__(texts=texts)
        self._on_file, self._max_mb = on_file, config.max_upload_mb
        self._name, self._size, self._content = "", 0, bytearray()
        self.on_msg(self._received)

    def show_message(self, text: str, *, is_error: bool = False) -> None:
        """Show a message under the field."""
        self.send({"kind": "message", "text": text, "is_error": is_error})

    def _received(self, _: Any, content: Any, buffers: Any) -> None:
        if content.get("kind") == "start":
            self._name, self._size = str(content.get("name")), int(content.get("size"))
            self._content = bytearray()
            self._request_next_piece()
        elif self._name and buffers and content.get("start") == len(self._content):
            self._content += buffers[0]
            self._request_next_piece()

    def _request_next_piece(self) -> None:
        name = Path(self._name.replace("\\", "/")).name[:100]
        if max(self._size, len(self._content)) > 1_000_000 * self._max_mb:
            self._name = ""
            self.show_message(page_text("too_large", name=name, mb=self._max_mb), is_error=True)
        elif len(self._content) < self._size:
            self.send({"kind": "next", "start": len(self._content)})
        else:
            self._name, content = "", bytes(self._content)
            self._on_file(name, content)


class DownloadButton(anywidget.AnyWidget):
    """A button that downloads a file that Python makes on demand.

    Parameters
    ----------
    make : callable
        Returns the name and the bytes of the file.
    """

    _esm = _SCRIPTS / "download_button.js"
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, make: Callable[[], tuple[str, bytes]], **traits: Any) -> None:
        super().__init__(**traits)
        self._make = make
        self.on_msg(self._received)

    def _received(self, _: Any, content: Any, __: Any) -> None:
        if content.get("kind") == "request":
            name, body = self._make()
            self.send({"kind": "file", "name": name, "type": "text/csv"}, buffers=[body])
