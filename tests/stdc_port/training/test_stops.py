"""Requests to stop, also those that came before anybody listened."""

import pytest

from stdc_port.training import stops


@pytest.mark.parametrize("before", [True, False])
def test_a_request_that_came_before_the_training_is_heeded(monkeypatch, before: bool) -> None:
    monkeypatch.setattr(stops, "was_asked", lambda: before)
    with stops.stop_request() as stop:
        assert stop.agreed() is before
