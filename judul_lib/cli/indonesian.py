"""Indonesian help and usage errors for click, which has no Indonesian translation.

Commands are declared with `command`, `group`, `option` and `argument` of this module.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import click

_HEADINGS = {"Options": "Opsi", "Commands": "Perintah"}
_METAVARS = {
    "Path": "BERKAS", "text": "TEKS", "integer": "BILANGAN", "integer range": "BILANGAN",
    "float range": "BILANGAN",
}  # fmt: skip
_F = TypeVar("_F", bound=Callable[..., Any])


class _Formatter(click.HelpFormatter):
    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or "Cara pakai: ")

    def write_heading(self, heading: str) -> None:
        super().write_heading(_HEADINGS.get(heading, heading))


class _Context(click.Context):
    formatter_class = _Formatter


class _Option(click.Option):
    """An option with an Indonesian metavar; its help text states the default."""

    def make_metavar(self, ctx: click.Context) -> str:
        return self.metavar or _METAVARS.get(self.type.name) or super().make_metavar(ctx)

    def get_help_extra(self, ctx: click.Context) -> Any:
        return {"required": "wajib"} if self.required else {}


class _Argument(click.Argument):
    """An argument with its own line in the help."""

    def __init__(self, *names: Any, help_text: str, **attrs: Any) -> None:
        super().__init__(*names, **attrs)
        self.help_text = help_text


class _Command(click.Command):
    """A command whose help is in Indonesian."""

    context_class = _Context

    def __init__(self, name: str | None, **attrs: Any) -> None:
        super().__init__(name, **{"options_metavar": "[OPSI]", **attrs})

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        help_option = super().get_help_option(ctx)
        if help_option is not None:
            help_option.help = "Tampilkan bantuan ini."
        return help_option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        arguments = [param for param in self.params if isinstance(param, _Argument)]
        rows = [(argument.make_metavar(ctx), argument.help_text) for argument in arguments]
        if rows:
            with formatter.section("Argumen"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


class _Group(_Command, click.Group):
    command_class = _Command

    def __init__(self, name: str | None = None, **attrs: Any) -> None:
        super().__init__(name, **{"subcommand_metavar": "PERINTAH [ARGUMEN]...", **attrs})


def command(name: str | None = None) -> Callable[[Callable[..., Any]], _Command]:
    """Turn a function into a command; its docstring is the help."""
    return click.command(name, cls=_Command)


def group(**attrs: Any) -> Callable[[Callable[..., Any]], _Group]:
    """Turn a function into a group; its docstring is the help."""
    return click.group(cls=_Group, **attrs)


def option(*names: str, help: str, **attrs: Any) -> Callable[[_F], _F]:  # noqa: A002
    """Add an option to a command; its help is required."""
    return click.option(*names, cls=_Option, help=help, **attrs)


def argument(name: str, *, help: str, **attrs: Any) -> Callable[[_F], _F]:  # noqa: A002
    """Add an argument to a command; its help is required."""
    return click.argument(name, cls=_Argument, help_text=help, **attrs)


def describe_usage_error(error: click.UsageError) -> str:
    """Describe what is wrong with a command line, and what is expected.

    Examples
    --------
    >>> describe_usage_error(click.NoSuchOption("--modle", possibilities=["--model"]))
    'Opsi --modle tidak dikenal. Mungkin maksud Anda --model?'
    """
    if isinstance(error, click.NoSuchOption):
        suggestion = f" Mungkin maksud Anda {error.possibilities[0]}?" if error.possibilities else ""
        return f"Opsi {error.option_name} tidak dikenal.{suggestion}"
    if isinstance(error, click.BadParameter):
        return _describe_bad_parameter(error)
    if isinstance(error, click.BadOptionUsage):
        problem = "memerlukan nilai" if "requires" in error.message else "tidak menerima nilai"
        return f"Opsi {error.option_name} {problem}."
    if "No such command" in error.message:
        group = error.ctx.command if error.ctx else None
        commands = group.commands if isinstance(group, click.Group) else ()
        return f"Perintah itu tidak ada. Pilih: {', '.join(commands)}."
    if "unexpected" in error.message:
        return "Argumennya terlalu banyak. Apit judul dengan tanda kutip."
    return error.message


def _describe_bad_parameter(error: click.BadParameter) -> str:
    param = error.param
    name = "Argumen"
    if isinstance(param, click.Option):
        name = param.opts[-1]
    elif param is not None:
        name = (param.metavar or param.human_readable_name).strip("[]")
    if isinstance(error, click.MissingParameter):
        return f"{name} belum diberikan."
    return f"Nilai untuk {name} tidak berlaku.{_expected_value(param.type if param else None)}"


def _expected_value(kind: click.ParamType | None) -> str:
    if isinstance(kind, click.Choice):
        return f" Pilih: {', '.join(kind.choices)}."
    number = "bilangan bulat" if kind is click.INT or isinstance(kind, click.IntRange) else "bilangan"
    bounds = ""
    if isinstance(kind, click.IntRange | click.FloatRange):
        if kind.min is not None:
            bounds += f", {'lebih dari' if kind.min_open else 'sedikitnya'} {kind.min}"
        if kind.max is not None:
            bounds += f", paling besar {kind.max}"
    return f" Berikan {number}{bounds}." if bounds or kind is click.INT else ""
