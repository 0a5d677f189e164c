"""A command whose help fits a screen: what is rarely wanted is shown by --help-all."""

from __future__ import annotations

from typing import Any

import click


class ShortHelp(click.Command):
    """Shows some options by their names alone, unless --help-all asks for everything.

    Args:
        rare: The parameters' names of those options.
        options: As for `click.Command`.
    """

    def __init__(self, *args: Any, rare: frozenset[str] = frozenset(), **options: Any) -> None:
        super().__init__(*args, **options)
        self.rare = rare
        self.params.append(
            click.Option(
                ["--help-all"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_everything,
                help="Show the options below, too, and exit.",
            )
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, and the names of those left out."""
        shown, left_out = [], []
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is None or not isinstance(parameter, click.Option):
                continue
            if parameter.name in self.rare and not ctx.meta.get(__name__):
                left_out.append(parameter.opts[0])
            else:
                shown.append(row)
        with formatter.section("Options"):
            formatter.write_dl(shown)
        if left_out:
            with formatter.section("More (--help-all explains them)"):
                formatter.write_text(" ".join(sorted(left_out)))


def _everything(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.meta[__name__] = True
        click.echo(context.get_help(), color=context.color)
        context.exit()
