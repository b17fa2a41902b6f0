"""Free a title of what programs put around its words: markup, entities, odd blanks."""

import html
import re

_TAG = re.compile(
    r"</?(i|em|b|strong|u|sub|sup|small|span|font|a|tt|code|mark|scp|inf|jats:\w+)(\s[^<>]*)?/?>", re.I
)
_BREAK = re.compile(r"</?(br|p|div|li|ul|ol|tr|td)(\s[^<>]*)?/?>", re.I)
_SHEET_ESCAPE = re.compile(r"_x00(09|0A|0D)_", re.I)
_LATEX_COMMAND = re.compile(
    r"\\(?:textit|textbf|textsc|texttt|textrm|emph|mathrm|mathit|text|it|bf|em)\b\s*"
)
_LATEX_MATH = re.compile(r"\$([^$\d\s][^$]{0,40}|[\d^_][^$]{0,40})\$")
_LATEX_SIGN = re.compile(r"\\([&%$#_{}])")
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


def clean_title(cell: str) -> str:
    r"""Return a title without HTML, LaTeX and invisible signs, its blanks single.

    Signs that are not markup stay, such as those of *suhu < 5 °C*.

    Examples
    --------
    >>> clean_title("Kadar CO<sub>2</sub>&nbsp;di\u00a0Ruang_x000D_\nKelas")
    'Kadar CO2 di Ruang Kelas'
    >>> clean_title(r"Katalis TiO$_2$ \textit{in situ} {DNA}"), clean_title("Suhu < 5 dan > 3")
    ('Katalis TiO2 in situ DNA', 'Suhu < 5 dan > 3')
    """
    text = cell
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub(" ", text))
    if "\\" in text or "$" in text or "{" in text:
        text = _clean_latex(text)
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    return " ".join(_SHEET_ESCAPE.sub(" ", text).split())


def _clean_latex(text: str) -> str:
    text = _LATEX_COMMAND.sub("", text)
    text = _LATEX_MATH.sub(lambda match: re.sub(r"[_^]", "", match[1]), text)
    text = re.sub(r"(?<!\\)[{}]", "", text)
    return _LATEX_SIGN.sub(r"\1", text)
