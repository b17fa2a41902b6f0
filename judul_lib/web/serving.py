"""Serve the page with Voilà: no code from the browser, a token wherever others can reach it."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judul_lib.checking.loading import find_models
from judul_lib.core.config import CONFIG_VARIABLE, Config
from judul_lib.core.errors import ServeError
from judul_lib.reports.rendering import SUMMARY_TAG
from judul_lib.search.archives import read_archive

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
_LONGEST_FOLDER = 25


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
    return "/tmp" if len(usual) > _LONGEST_FOLDER and Path("/tmp").is_dir() else None  # noqa: S108


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

    from judul_lib.web.handlers import Login, OneToken, with_ours

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
            return [health, *with_ours(super().init_handlers())]

    traits = Traits()
    traits.Voila.ip, traits.Voila.port, traits.Voila.port_retries = config.host, config.port, 0
    traits.Voila.open_browser, traits.Voila.log_level = False, "ERROR"
    traits.Voila.token = config.token
    traits.Voila.identity_provider_class = OneToken
    traits.VoilaConfiguration.template = "judul"
    traits.VoilaConfiguration.file_allowlist = []
    traits.VoilaConfiguration.allow_template_override = "NO"
    traits.VoilaConfiguration.allow_theme_override = "NO"
    traits.VoilaConfiguration.extension_allowlist = list(_EXTENSIONS)
    traits.VoilaConfiguration.preheat_kernel = config.ready_kernels > 0
    traits.VoilaConfiguration.default_pool_size = config.ready_kernels
    # The next kernel starts when the visitor's page is there, not while it loads.
    traits.VoilaKernelManager.fill_delay = 3.0
    traits.VoilaExporter.language_code = config.language
    traits.TagRemovePreprocessor.enabled = True
    traits.TagRemovePreprocessor.remove_cell_tags = set(REPORT_TAGS)
    traits.AsyncMappingKernelManager.cull_idle_timeout = _IDLE_SECONDS
    traits.AsyncMappingKernelManager.cull_interval = 60
    traits.Voila.connection_dir_root = folder
    if os.name == "posix" and len(folder) <= _LONGEST_FOLDER + len("/judul-12345678"):
        # A socket file in a folder of our own: no other user of the machine can reach a kernel.
        traits.ServerKernelManager.transport = "ipc"
    server = PageServer(config=traits)
    server.initialize([str(notebook)])
    return server
