"""Buttons that answer a question, usable by keys and by a screen reader."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets


class AnswerButtons(anywidget.AnyWidget):
    """Buttons that answer a question, also by keys.

    Parameters
    ----------
    on_press : callable
        Called with the name of an enabled button.
    choices : list of dict
        Name, text and keys of each button: ``name``, ``text``, ``keys`` (the first is shown).
    enabled : list of str
        Names of the enabled buttons.
    question : int
        Number of the question; a press for an earlier one is ignored, as when a key is pressed twice.
    """

    _esm = Path(__file__).parent / "resources" / "answer_buttons.js"
    label = traitlets.Unicode().tag(sync=True)
    hint = traitlets.Unicode().tag(sync=True)
    choices: traitlets.List = traitlets.List().tag(sync=True)
    enabled: traitlets.List = traitlets.List().tag(sync=True)
    question = traitlets.Int(0).tag(sync=True)

    def __init__(self, on_press: Callable[[str], None], **traits: Any) -> None:
        super().__init__(**traits)
        self._on_press = on_press
        self.on_msg(self._received)

    def take_focus(self) -> None:
        """Focus the buttons, so that the keys work."""
        self.send({"kind": "focus"})

    def _received(self, _: Any, content: Any, __: Any) -> None:
        is_current = content.get("question") == self.question
        if content.get("kind") == "press" and is_current and content.get("name") in self.enabled:
            self._on_press(content["name"])
