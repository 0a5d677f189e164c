"""A run whose tensors are handed out in torch's order of axes; see `parity.axes`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from parity.record import Given, Record, Value
from parity.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parity.axes import Axes, Orders
    from parity.backward import Backward, Gradient, GradientConsumer
    from parity.precision import Floor
    from parity.record import CallKey, Consumer, GivenConsumer, Replacement


@dataclass(frozen=True)
class TurnedRun(Source):
    """Paddle's run with its tensors in torch's axes; what is given back to it is turned back.

    Attributes:
        run: The run as it is.
        axes: The orders.
    """

    run: Source
    axes: Axes

    def paths(self) -> set[str]:
        """Give the paths of all modules."""
        return self.run.paths()

    def never_called(self, called: set[str]) -> tuple[str, ...]:
        """List modules with weights that are not among those called."""
        return self.run.never_called(called)

    def stream(self, consumer: Consumer, given: GivenConsumer | None = None) -> None:
        """Run through."""

        def on_start(event: Given) -> Replacement | None:
            turned = replace(event, inputs=self._turned(event.key, event.inputs, self.axes.given))
            reply = given(turned) if given is not None else None
            return self._back(event.key, reply, self.axes.given)

        self.run.stream(self._consumer(consumer), on_start if given is not None else None)

    def stream_through(
        self, consumer: Consumer, gradients: GradientConsumer, backward: Backward
    ) -> dict[CallKey, list[Floor]]:
        """Run through, forward and backward."""

        def on_gradient(gradient: Gradient) -> np.ndarray | None:
            order = gradient.key and self.axes.returned.get((gradient.key, gradient.slot))
            if not order:
                return gradients(gradient)
            reply = gradients(replace(gradient, array=gradient.array.transpose(order)))
            return None if reply is None else reply.transpose(np.argsort(order))

        return self.run.stream_through(self._consumer(consumer), on_gradient, backward)

    def _consumer(self, consumer: Consumer) -> Consumer:
        def on_return(record: Record) -> Replacement | None:
            outputs = self._turned(record.key, record.outputs, self.axes.returned)
            inputs = self._turned(record.key, record.inputs, self.axes.given)
            reply = consumer(replace(record, outputs=outputs, inputs=inputs))
            return self._back(record.key, reply, self.axes.returned)

        return on_return

    @staticmethod
    def _turned(key: CallKey, values: Iterable[Value], orders: Orders) -> tuple[Value, ...]:
        return tuple(
            Value(value.slot, value.array.transpose(orders[key, value.slot]))
            if (key, value.slot) in orders
            else value
            for value in values
        )

    @staticmethod
    def _back(key: CallKey, reply: Replacement | None, orders: Orders) -> Replacement | None:
        if not reply:
            return reply
        return {
            slot: array.transpose(np.argsort(orders[key, slot])) if (key, slot) in orders else array
            for slot, array in reply.items()
        }
