"""Serve the page: Voilà with the project's template, headers, token and handlers."""

import asyncio
import hmac
import os
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import User
from tornado.web import HTTPError, authenticated
from voila.request_info_handler import RequestInfoSocketHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler
from voila.voila_identity_provider import VoilaIdentityProvider, VoilaLoginHandler

from judul_lib.checking.loading import find_models
from judul_lib.core.config import CONFIG_VARIABLE, Config
from judul_lib.core.errors import ServeError
from judul_lib.reports.rendering import SUMMARY_TAG
from judul_lib.search.archives import read_archive
from judul_lib.usage.infrastructure import recorded_page

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
ABANDONED_SECONDS = 60
"""When the server is full, pages disconnected for this long lose their kernel."""

_MIN_OFFSETS, _MAX_OFFSETS = 6, 64
_WRONG_TOKEN_SECONDS, _MAX_PENDING_FAILURES = 2.0, 3


def has_valid_offsets(frame: str | bytes) -> bool:
    """Whether the offsets of a message in the v1 subprotocol are few, sorted and within the message.

    Examples
    --------
    >>> has_valid_offsets((100_000_000).to_bytes(8, "little") + bytes(8))
    False
    """
    if not isinstance(frame, bytes) or len(frame) < 8 * (1 + _MIN_OFFSETS):
        return False
    (count,) = struct.unpack_from("<Q", frame)
    if not _MIN_OFFSETS <= count <= min(_MAX_OFFSETS, len(frame) // 8 - 1):
        return False
    offsets = struct.unpack_from(f"<{count}Q", frame, 8)
    return offsets[0] >= 8 * (1 + count) and [*offsets] == sorted(offsets) and offsets[-1] <= len(frame)


class KernelChannel(VoilaKernelWebsocketHandler):
    """The websocket to a kernel, limited to one subprotocol and to well-formed messages."""

    async def get(self, kernel_id: str) -> None:
        """Refuse the older subprotocol, whose message offsets are not checked."""
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if SUBPROTOCOL not in map(str.strip, offered):
            raise HTTPError(400)
        await super().get(kernel_id=kernel_id)

    def on_message(self, ws_message: str | bytes) -> None:
        """Forward only messages with valid offsets."""
        if has_valid_offsets(ws_message):
            super().on_message(ws_message)


class Page(TornadoVoilaHandler):
    """The page, unless the limit on kernels is reached."""

    _n_starting = 0
    _sweeping = asyncio.Lock()

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Send the page, or status 503 when the server is full."""
        if not path:
            await self._require_free_kernel()
        Page._n_starting += 1
        try:
            _ = (
                self.xsrf_token
            )  # Sets the cookie with which the page may shut down its kernel when it is closed.
            await super().get(path)
        finally:
            Page._n_starting -= 1

    async def _require_free_kernel(self) -> None:
        if self._is_full():
            kernels = self.kernel_manager
            async with self._sweeping:
                timeout, kernels.cull_idle_timeout = kernels.cull_idle_timeout, ABANDONED_SECONDS
                try:
                    await kernels.cull_kernels()
                finally:
                    kernels.cull_idle_timeout = timeout
            if self._is_full():
                raise HTTPError(503)

    def _is_full(self) -> bool:
        """Whether visitors use the maximum number of kernels; preheated ones do not count."""
        pools: dict[str, list[asyncio.Task]] = getattr(self.kernel_manager, "_pools", {})
        n_preheated = sum(task.done() for pool in pools.values() for task in pool)
        return len(self.kernel_manager) - n_preheated + Page._n_starting >= self.settings["max_pages"]


class SharedTokenProvider(VoilaIdentityProvider):
    """One shared token; wrong ones are answered with a delay, a few at a time per address."""

    _pending_failures: ClassVar[Counter[str]] = Counter()

    async def check_token(self, handler: Any, typed: str) -> bool:
        """Whether the token is right; status 429 while the address has too many wrong ones pending."""
        address = handler.request.remote_ip
        if address in ("127.0.0.1", "::1"):  # Behind a local proxy, the header has the client.
            address = handler.request.headers.get("X-Real-IP", address)
        if self._pending_failures[address] >= _MAX_PENDING_FAILURES:
            handler.current_user = None  # The error page reads it.
            raise HTTPError(429)
        if hmac.compare_digest(typed.encode(), self.token.encode()):
            return True
        self._pending_failures[address] += 1
        try:
            await asyncio.sleep(_WRONG_TOKEN_SECONDS)
        finally:
            self._pending_failures[address] -= 1
            if not self._pending_failures[address]:
                del self._pending_failures[address]
        return False

    async def get_user_token(self, handler: Any) -> User | None:
        """Return a user for the token in the URL or a header; a cookie makes it unnecessary."""
        typed = self.get_token(handler)
        if not self.token or not typed or self.get_user_cookie(handler):
            return None
        return self.generate_anonymous_user(handler) if await self.check_token(handler, typed) else None


class Login(VoilaLoginHandler):
    """The login form for the token; unlike Jupyter's, it cannot set a password."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Log in with the token, or answer with status 401."""
        provider = self.identity_provider
        if await provider.check_token(self, self.get_argument("password", "")):
            self.current_user = provider.generate_anonymous_user(self)
            provider.set_login_cookie(self, self.current_user)
            self._redirect_safe(self.get_argument("next", self.base_url))
        else:
            self.set_status(401)
            self._render(message={"error": ""})


def replace_handlers(handlers: list[tuple]) -> list[tuple]:
    """Replace Voilà's handlers by those of this module, and drop the one that needs no token."""
    replacements = {VoilaKernelWebsocketHandler: KernelChannel, TornadoVoilaHandler: Page}
    return [
        (path, replacements.get(handler, handler), *options)
        for path, handler, *options in handlers
        if handler is not RequestInfoSocketHandler
    ]


PAGE_NOTEBOOK = Path(__file__).parent / "resources" / "page.ipynb"
REPORT_TAGS = frozenset({"contoh", SUMMARY_TAG})
"""Tags of notebook cells that belong to the report and are left out of the page."""

_RESOURCES = Path(__file__).parent / "resources" / "jupyter"
_TEMPLATE = _RESOURCES / "voila" / "templates" / "judul"
_HEADERS = {
    # Widgets are loaded as modules from blobs; everything else comes from this server.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
}
# Front-end extensions besides Voilà itself: ipywidgets, anywidget, Plotly.
_EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8",
    "anywidget", "jupyterlab-plotly",
)  # fmt: skip
# Messages that a browser may send to a kernel: those of widgets, not to execute code or shut down.
_ALLOWED_MESSAGES = ("comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request")
_IDLE_SECONDS = 1_800
_READY_KERNELS, _MAX_PAGES = 2, 15
# Socket paths are limited to about 100 characters: this folder, Voilà's inside it, the kernel's name.
_MAX_FOLDER_LENGTH = 25


def check_config(config: Config) -> None:
    """Refuse a configuration that cannot be served, before anything starts.

    Raises
    ------
    ServeError
        The page would be open to other computers without a token, or the port is in use.
    ModelError, CorpusError, IndexFileError
        There is no model, or an archive of the configuration is unusable.
    """
    if not config.is_local and not config.token:
        raise ServeError(
            f"Halaman di {config.host} dapat dibuka dari komputer lain, jadi harus dilindungi token. "
            "Berikan `make app TOKEN=…` atau variabel JUDUL_TOKEN, atau sajikan di localhost saja."
        )
    find_models(config.models, warn=lambda sentence: None)  # The page shows these warnings.
    for path in config.corpora.values():
        read_archive(path, config)
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.host, config.port))
        except OSError as error:
            other = config.port % 65_535 + 1
            raise ServeError(
                f"{config.host}:{config.port} tidak dapat dipakai, mungkin karena dipakai program lain "
                f"({error.strerror or error}). Pilih port lain, misalnya `make app PORT={other}`."
            ) from error


def serve(
    config: Config,
    notebook: Path,
    *,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Serve the page until the process is stopped.

    Parameters
    ----------
    config : Config
    notebook : path
        The notebook of the page; cells with one of `REPORT_TAGS` are left out.
    on_start : callable
        Called after all checks, just before the server listens.

    Raises
    ------
    ServeError
        The notebook is missing, or `check_config` fails.
    """
    check_config(config)
    if not notebook.is_file():
        raise ServeError(f"Notebook {notebook} tidak ada. Jalankan dari folder proyek.")
    with tempfile.TemporaryDirectory(prefix="judul-", dir=_short_folder()) as folder:
        _prepare_environment(config, folder)
        server = make_server(config, notebook, folder)
        on_start()
        with recorded_page(config.logs) if config.log else nullcontext():
            server.start()


def _short_folder() -> str | None:
    """Return a base folder for sockets if the default one has too long a path, else None."""
    default = tempfile.gettempdir()
    return "/tmp" if len(default) > _MAX_FOLDER_LENGTH and Path("/tmp").is_dir() else None  # noqa: S108


def _prepare_environment(config: Config, folder: str) -> None:
    """Set the environment that the kernels inherit, without the token.

    Jupyter writes to *folder*, since the user may have no home folder, and settings of other servers
    must not apply.
    """
    paths = [str(_RESOURCES), os.environ.get("JUPYTER_PATH", "")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        os.environ[name] = folder
    os.environ["JUDUL_MODELS"] = str(config.models)
    if config.source is not None:
        os.environ[CONFIG_VARIABLE] = str(config.source.resolve())
    if os.environ.get("JUDUL_CORPUS"):
        os.environ["JUDUL_CORPUS"] = str(next(iter(config.corpora.values())))
    os.environ.pop("JUDUL_TOKEN", None)


def make_server(config: Config, notebook: Path, folder: str) -> Any:
    """Return a Voilà server with the project's template, headers and health check; not started.

    Parameters
    ----------
    folder : str
        Folder for the connections to the kernels.
    """
    import jinja2
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.utils import url_path_join
    from traitlets.config import Config as Traits
    from voila.app import Voila

    class HealthHandler(JupyterHandler):
        """Reports that the server is up; needs no token."""

        @allow_unauthenticated
        def get(self) -> None:
            self.finish({"status": "ok"})

    class PageServer(Voila):
        """Voilà for one page."""

        def init_settings(self) -> Any:
            settings = super().init_settings()
            # All other pages of the server are error pages.
            error = jinja2.FunctionLoader(lambda _: (_TEMPLATE / "error.html").read_text("utf-8"))
            loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(_TEMPLATE), error])
            settings["jinja2_env"] = jinja2.Environment(loader=loader, autoescape=True)
            # Without a token, requests under another host name (DNS rebinding) are refused.
            settings["allow_remote_access"] = bool(config.token)
            settings["headers"] = dict(_HEADERS)
            settings["max_pages"] = _MAX_PAGES
            self.kernel_manager.allowed_message_types = list(_ALLOWED_MESSAGES)
            self.identity_provider.login_handler_class = Login
            settings["ws_ping_timeout"] = (
                30_000  # Longer than the interval, it would warn at each visit.
            )
            return settings

        def init_handlers(self) -> Any:
            health = (url_path_join(self.server_url, "/health"), HealthHandler)
            return [health, *replace_handlers(super().init_handlers())]

    traits = Traits()
    traits.Voila.ip, traits.Voila.port, traits.Voila.port_retries = config.host, config.port, 0
    traits.Voila.open_browser, traits.Voila.log_level = False, "ERROR"
    traits.Voila.token = config.token
    traits.Voila.identity_provider_class = SharedTokenProvider
    traits.VoilaConfiguration.template = "judul"
    traits.VoilaConfiguration.file_allowlist = []
    traits.VoilaConfiguration.allow_template_override = "NO"
    traits.VoilaConfiguration.allow_theme_override = "NO"
    traits.VoilaConfiguration.extension_allowlist = list(_EXTENSIONS)
    traits.VoilaConfiguration.preheat_kernel = _READY_KERNELS > 0
    traits.VoilaConfiguration.default_pool_size = _READY_KERNELS
    # Preheat the next kernel after the visitor's page has loaded, not while it loads.
    traits.VoilaKernelManager.fill_delay = 3.0
    traits.VoilaExporter.language_code = "id"
    traits.TagRemovePreprocessor.enabled = True
    traits.TagRemovePreprocessor.remove_cell_tags = set(REPORT_TAGS)
    traits.AsyncMappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    traits.AsyncMappingKernelManager.cull_interval = 60
    traits.Voila.connection_dir_root = folder
    if os.name == "posix" and len(folder) <= _MAX_FOLDER_LENGTH + len("/judul-12345678"):
        # Socket files in a private folder keep other users of the machine away from the kernels.
        traits.ServerKernelManager.transport = "ipc"
    server = PageServer(config=traits)
    server.initialize([str(notebook)])
    return server
