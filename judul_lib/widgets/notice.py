"""A live region: what changes in it is announced by a screen reader."""

from pathlib import Path

import anywidget
import traitlets


class Notice(anywidget.AnyWidget):
    """Escaped HTML in a live region, whose changes a screen reader announces."""

    _esm = Path(__file__).parent / "resources" / "notice.js"
    html = traitlets.Unicode().tag(sync=True)
