"""What every result has in common where somebody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # rich is loaded where something is shown
    from rich.console import RenderableType


class Shown:
    """A result that ``print``, IPython and notebooks show in words: what ``__rich__`` gives."""

    def __rich__(self) -> RenderableType:
        """Return the result for a terminal."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return what a terminal would show, without colours."""
        from converters.notebook import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from converters.notebook import as_html

        return as_html(self.__rich__())

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        from converters.notebook import shortened

        # Both, since a notebook keeps the text beside the table; the object's repr would be long.
        return {"text/plain": shortened(str(self)), "text/html": self._repr_html_()}
