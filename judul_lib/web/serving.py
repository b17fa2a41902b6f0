"""Serve the page: Voilà with our template, headers, token and addresses."""

import asyncio
import hmac
import os
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Callable
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

SUBPROTOCOL = "v1.kernel.websocket.jupyter.org"
ABANDONED_SECONDS = 60
"""A page that has been gone so long gives its place away when all are taken."""

_MIN_OFFSETS, _MAX_OFFSETS = 6, 64
_WRONG_TOKEN_SECONDS, _MAX_PENDING_FAILURES = 2.0, 3


def has_valid_offsets(frame: str | bytes) -> bool:
    """Whether the offsets in front of a message of the v1 subprotocol are few, in order and inside it.

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
    """The channel to a kernel, in one subprotocol; a message is read when its sizes are right."""

    async def get(self, kernel_id: str) -> None:
        """Refuse the older subprotocol: it takes any count for true, and so does who answers in it."""
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "").split(",")
        if SUBPROTOCOL not in map(str.strip, offered):
            raise HTTPError(400)
        await super().get(kernel_id=kernel_id)

    def on_message(self, ws_message: str | bytes) -> None:
        """Hand over what is sound."""
        if has_valid_offsets(ws_message):
            super().on_message(ws_message)


class Page(TornadoVoilaHandler):
    """The page, as long as there is room for one more kernel."""

    _n_starting = 0
    _sweeping = asyncio.Lock()

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Send the page, or say that there is no room."""
        if not path:
            await self._find_room()
        Page._n_starting += 1
        try:
            _ = self.xsrf_token  # A cookie: without it the page may not end its kernel when it is left.
            await super().get(path)
        finally:
            Page._n_starting -= 1

    async def _find_room(self) -> None:
        if self._is_full():
            kernels = self.kernel_manager
            async with self._sweeping:
                usual, kernels.cull_idle_timeout = kernels.cull_idle_timeout, ABANDONED_SECONDS
                try:
                    await kernels.cull_kernels()
                finally:
                    kernels.cull_idle_timeout = usual
            if self._is_full():
                raise HTTPError(503)

    def _is_full(self) -> bool:
        """Whether visitors have all kernels that they may; those started ahead are nobody's yet."""
        pools: dict[str, list[asyncio.Task]] = getattr(self.kernel_manager, "_pools", {})
        ahead = sum(task.done() for pool in pools.values() for task in pool)
        return len(self.kernel_manager) - ahead + Page._n_starting >= self.settings["max_pages"]


class SharedTokenProvider(VoilaIdentityProvider):
    """One token for all. A wrong one is answered late, and of one address only few are looked at."""

    _pending_failures: ClassVar[Counter[str]] = Counter()

    async def check_token(self, handler: Any, typed: str) -> bool:
        """Whether that is the token; what an address sends while others of its own wait is not seen."""
        address = handler.request.remote_ip
        if address in ("127.0.0.1", "::1"):  # Behind a proxy of this machine it says who asks.
            address = handler.request.headers.get("X-Real-IP", address)
        if self._pending_failures[address] >= _MAX_PENDING_FAILURES:
            handler.current_user = None  # Who draws the answer asks.
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
        """Return a user for the token in an address or a header; who is known by a cookie needs none."""
        typed = self.get_token(handler)
        if not self.token or not typed or self.get_user_cookie(handler):
            return None
        return self.generate_anonymous_user(handler) if await self.check_token(handler, typed) else None


class Login(VoilaLoginHandler):
    """The form for the token; it changes no password."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Let in who knows the token."""
        people = self.identity_provider
        if await people.check_token(self, self.get_argument("password", "")):
            self.current_user = people.generate_anonymous_user(self)
            people.set_login_cookie(self, self.current_user)
            self._redirect_safe(self.get_argument("next", self.base_url))
        else:
            self.set_status(401)
            self._render(message={"error": ""})


def replace_handlers(handlers: list[tuple]) -> list[tuple]:
    """Return Voilà's handlers with ours in their place, and without the one that asks nobody's token."""
    ours = {VoilaKernelWebsocketHandler: KernelChannel, TornadoVoilaHandler: Page}
    return [
        (path, ours.get(handler, handler), *more)
        for path, handler, *more in handlers
        if handler is not RequestInfoSocketHandler
    ]


PAGE_NOTEBOOK = "07_check_titles.ipynb"
REPORT_TAGS = frozenset({"contoh", SUMMARY_TAG})
"""Tags of the notebook's cells that are for the reader of the report and not for the page."""

_RESOURCES = Path(__file__).parent / "resources" / "jupyter"
_TEMPLATE = _RESOURCES / "voila" / "templates" / "judul"
_HEADERS = {
    # Widgets are modules that the browser is given as blobs; nothing else comes from outside.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
}
# What the browser loads besides Voilà itself: widgets, our parts, figures.
_EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8",
    "anywidget", "jupyterlab-plotly",
)  # fmt: skip
# What a browser may send to a kernel: what widgets need, and no order to run or to stop.
_MESSAGES = ("comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request")
_IDLE_SECONDS = 1_800
# A socket's path may have some 100 characters: the folder, Voilà's in it, and the kernel's name.
_MAX_FOLDER_LENGTH = 25


def check_config(config: Config) -> None:
    """Refuse to serve what would not work, before anything is started.

    Raises
    ------
    ServeError
        The page would be open to others without a token, or the port is taken.
    ModelError, CorpusError, IndexFileError
        There is no model, or an archive of the configuration cannot be used.
    """
    if not config.is_local and not config.token:
        raise ServeError(
            f"Halaman di {config.host} dapat dibuka dari komputer lain, jadi harus dilindungi token. "
            "Berikan `make app TOKEN=…` atau variabel JUDUL_TOKEN, atau sajikan di localhost saja."
        )
    find_models(config.models, warn=lambda sentence: None)  # The page says it.
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
        The notebook with the page; cells with one of `REPORT_TAGS` are left out.
    on_start : callable
        Told when all is checked, just before the server listens.

    Raises
    ------
    ServeError
        The notebook is missing; and as `check_config` says.
    """
    check_config(config)
    if not notebook.is_file():
        raise ServeError(f"Notebook {notebook} tidak ada. Jalankan dari folder proyek.")
    with tempfile.TemporaryDirectory(prefix="judul-", dir=_short_folder()) as folder:
        _prepare_environment(config, folder)
        server = make_server(config, notebook, folder)
        on_start()
        server.start()


def _short_folder() -> str | None:
    """Return where temporary folders go, unless its name is too long for a socket in it."""
    usual = tempfile.gettempdir()
    return "/tmp" if len(usual) > _MAX_FOLDER_LENGTH and Path("/tmp").is_dir() else None  # noqa: S108


def _prepare_environment(config: Config, folder: str) -> None:
    """Tell the kernels where to look; the token is not their business.

    Everything that Jupyter writes goes to a folder of this server: the user it
    runs as may have no home, and settings of other servers are not ours.
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
        For the connections to the kernels.
    """
    import jinja2
    from jupyter_server.auth.decorator import allow_unauthenticated
    from jupyter_server.base.handlers import JupyterHandler
    from jupyter_server.utils import url_path_join
    from traitlets.config import Config as Traits
    from voila.app import Voila

    from judul_lib.web.serving import Login, SharedTokenProvider, replace_handlers

    class HealthHandler(JupyterHandler):
        """Says that the server answers; asks for no token and tells nothing else."""

        @allow_unauthenticated
        def get(self) -> None:
            self.finish({"status": "ok"})

    class PageServer(Voila):
        """Voilà for one page."""

        def init_settings(self) -> Any:
            settings = super().init_settings()
            # The server's other pages all say that something went wrong.
            error = jinja2.FunctionLoader(lambda _: (_TEMPLATE / "error.html").read_text("utf-8"))
            loader = jinja2.ChoiceLoader([jinja2.FileSystemLoader(_TEMPLATE), error])
            settings["jinja2_env"] = jinja2.Environment(loader=loader, autoescape=True)
            # Without a token, a page of another site must not get here by a name of its own.
            settings["allow_remote_access"] = bool(config.token)
            settings["headers"] = dict(_HEADERS)
            settings["max_pages"] = config.max_pages
            self.kernel_manager.allowed_message_types = list(_MESSAGES)
            self.identity_provider.login_handler_class = Login
            settings["ws_ping_timeout"] = 30_000  # Not longer than the interval, or each visit warns.
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
    traits.VoilaConfiguration.preheat_kernel = config.ready_kernels > 0
    traits.VoilaConfiguration.default_pool_size = config.ready_kernels
    # The next kernel starts when the visitor's page is there, not while it loads.
    traits.VoilaKernelManager.fill_delay = 3.0
    traits.VoilaExporter.language_code = "id"
    traits.TagRemovePreprocessor.enabled = True
    traits.TagRemovePreprocessor.remove_cell_tags = set(REPORT_TAGS)
    traits.AsyncMappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    traits.AsyncMappingKernelManager.cull_interval = 60
    traits.Voila.connection_dir_root = folder
    if os.name == "posix" and len(folder) <= _MAX_FOLDER_LENGTH + len("/judul-12345678"):
        # A socket file in a folder of our own: no other user of the machine can reach a kernel.
        traits.ServerKernelManager.transport = "ipc"
    server = PageServer(config=traits)
    server.initialize([str(notebook)])
    return server
