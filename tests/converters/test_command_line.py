"""What all commands share: errors become one message and an exit code."""

import pytest

from converters import InputError, RefusedError
from converters.command_line import errors_as_exit_codes


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("no such file"), 2, "error: no such file"),
        (RefusedError("2 problems:", ["one", "two"]), 1, "error: 2 problems:\n  one\n  two"),
        (
            ModuleNotFoundError("No module named 'PIL'", name="PIL"),
            2,
            "error: PIL is not installed; run: pip install 'stdc-port[cpu,train]'",
        ),
    ],
)
def test_an_error_that_a_user_can_mend_is_one_message(
    error: Exception, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, errors_as_exit_codes():
        raise error
    assert stopped.value.code == code
    assert capsys.readouterr().err.strip() == message


def test_a_missing_module_that_no_extra_brings_is_not_hidden() -> None:
    with pytest.raises(ModuleNotFoundError), errors_as_exit_codes():
        raise ModuleNotFoundError("No module named 'mine'", name="mine")
