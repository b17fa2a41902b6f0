"""Titles that try to be something else than text."""

HOSTILE = [
    "<script>window.hacked = 1</script> Prediksi Harga Beras",
    "<img src=x onerror='window.hacked = 1'> Prediksi Harga Beras",
    '"><svg onload=window.hacked=1> Prediksi Harga',
    "</textarea><script>1</script> Prediksi Harga",
    "{{7*7}} ${7*7} Prediksi Harga <b>Beras</b> &lt;i&gt;",
    "\u202eProduk\u202c Prediksi Harga 🌾 Beras",
    "Prediksi \x00Harga\x1b Beras\ud800"[:-1],
]
HOSTILE_CELLS = [title for title in HOSTILE if "\0" not in title]
"""Those that a table can hold."""
