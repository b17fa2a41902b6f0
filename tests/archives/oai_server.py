"""An OAI-PMH server of the package `oai_repo`, whose records and faults come from a JSON file.

``python -m tests.archives.oai_server FOLDER`` prints its port. It reads ``state.json`` in the folder
whenever that changes, and appends each request to ``requests.jsonl``.
"""

import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from lxml import etree
from oai_repo import DataInterface, Identify, MetadataFormat, OAIRepository, RecordHeader, Set

OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
DC = "http://purl.org/dc/elements/1.1/"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class Data(DataInterface):
    """Records of the state: identifier to datestamp, deleted, set, and Dublin Core elements."""

    def __init__(self, state):
        self.records, self.limit = state["records"], state.get("limit", 10)
        self.sets = sorted({record["set"] for record in self.records.values() if record.get("set")})
        self.granularity = state.get("granularity", "YYYY-MM-DDThh:mm:ssZ")

    def get_identify(self):
        return Identify(
            "Repositori Uji", "http://localhost/oai", ["admin@localhost.id"],
            "2020-01-01T00:00:00Z"[: len(self.granularity)], "persistent", self.granularity,
        )  # fmt: skip

    def is_valid_identifier(self, identifier):
        return identifier in self.records

    def get_metadata_formats(self, identifier=None):
        return [MetadataFormat("oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", OAI_DC)]

    def get_record_header(self, identifier):
        record = self.records[identifier]
        sets = [record["set"]] if record.get("set") else []
        status = "deleted" if record.get("deleted") else None
        return RecordHeader(identifier, record["datestamp"][: len(self.granularity)], sets, status)

    def get_record_metadata(self, identifier, metadataprefix):
        root = etree.Element(f"{{{OAI_DC}}}dc", nsmap={"oai_dc": OAI_DC, "dc": DC})
        for name, text, language in self.records[identifier].get("dc", ()):
            element = etree.SubElement(root, f"{{{DC}}}{name}")
            element.text = text
            if language:
                element.set(XML_LANG, language)
        return root  # `oai_repo` leaves out records without metadata, even deleted ones.

    def get_record_abouts(self, identifier):
        return []

    def list_set_specs(self, identifier=None, cursor=0):
        return (self.sets or None), len(self.sets), None

    def get_set(self, setspec):
        return Set(setspec, setspec, []) if setspec in self.sets else None

    def list_identifiers(
        self, metadataprefix, filter_from=None, filter_until=None, filter_set=None, cursor=0
    ):
        start = filter_from or datetime(1990, 1, 1, tzinfo=UTC)
        found = [
            identifier
            for identifier, record in self.records.items()
            if datetime.fromisoformat(record["datestamp"]) >= start
            and filter_set in (None, record.get("set"))
        ]
        return found[cursor : cursor + self.limit], len(found), None


class Handler(BaseHTTPRequestHandler):
    """Answers requests by the state of the server's folder, with its faults."""

    def do_GET(self):
        server = self.server
        query = dict(parse_qsl(urlsplit(self.path).query))
        with (server.folder / "requests.jsonl").open("a") as stream:
            entry = {"time": time.monotonic(), "agent": self.headers["User-Agent"], **query}
            stream.write(json.dumps(entry) + "\n")
        state = server.read_state()
        fault = server.take_fault(query)
        if fault is not None:
            self._send(
                fault["status"], fault.get("body", "").encode("latin-1"), fault.get("headers", {})
            )
            return
        time.sleep(state.get("delay", 0))
        answer = OAIRepository(Data(state)).process(query)
        root = etree.fromstring(bytes(answer))
        for header in root.iter("{*}header"):  # `oai_repo` does not write the status.
            if state["records"][header.findtext("{*}identifier")].get("deleted"):
                header.set("status", "deleted")
        self._send(200, etree.tostring(root), {"Content-Type": "text/xml; charset=utf-8"})

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        with suppress(ConnectionError):  # The client was killed.
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    """The server and what is left of its faults."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self._content, self._state, self._faults = folder, b"", {}, []

    def read_state(self):
        content = (self.folder / "state.json").read_bytes()
        if content != self._content:
            self._content, self._state = content, json.loads(content)
            self._faults = self._state.get("faults", [])
        return self._state

    def take_fault(self, query):
        """Return the next fault for such a request; ``skip`` requests come first."""
        for fault in self._faults:
            needs_token = fault.get("token", False)
            if fault.get("times", 1) < 1 or query.get("verb") != fault["verb"]:
                continue
            if needs_token and "resumptionToken" not in query:
                continue
            if fault.get("skip", 0):
                fault["skip"] -= 1
                continue
            fault["times"] = fault.get("times", 1) - 1
            return fault
        return None


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]))
    print(server.server_port, flush=True)
    server.serve_forever()
