"""Periksa sebuah judul, lalu sebuah daftar judul. Hanya memerlukan Python.

Pemakaian: JUDUL_SERVER=http://localhost:8866 JUDUL_KUNCI=judul_… python check.py "Judul lengkap"
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

SERVER = os.environ.get("JUDUL_SERVER", "http://localhost:8866")
KEY = os.environ.get("JUDUL_KUNCI", "")  # Kosong bila server tidak meminta kunci.


def call(method, path, content=None):
    """Kirim permintaan; kembalikan jawabannya, atau berhenti dengan kalimat penolakannya."""
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if KEY:
        headers["Authorization"] = f"Bearer {KEY}"
    data = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(SERVER + path, data, headers, method=method)  # noqa: S310
    for _ in range(5):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if error.code not in (429, 503):
                break
            time.sleep(int(error.headers.get("Retry-After", "1")))
    sys.exit(f"{problem['title']}: {problem['detail']}")


def main():
    """Periksa judul dari baris perintah."""
    title = sys.argv[1]
    answer = call("POST", "/api/v1/check", {"title": title, "top": 3})
    print(f"{answer['verdict']}: {answer['sentence']}")
    for match in answer["matches"]:
        print(f"- {match['probability']:.2f} {match['title']} ({match['remark']})")

    titles = [{"id": "A11", "title": title}, {"id": "A12", "title": title.upper()}]
    job = call("POST", "/api/v1/batch", {"titles": titles})
    while job["state"] in ("menunggu", "berjalan"):
        time.sleep(0.5)
        job = call("GET", f"/api/v1/jobs/{job['id']}")
    if job["state"] != "selesai":
        sys.exit(job["message"])
    for checked in call("GET", job["result"])["titles"]:
        print(f"{checked['id']}: {checked['verdict']}")


if __name__ == "__main__":
    main()
