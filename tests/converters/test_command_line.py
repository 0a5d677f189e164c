"""What all commands share: errors become one message and an exit code."""

import pytest

from converters import InputError, RefusedError
from converters.command_line import errors_as_exit_codes


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("no such file"), 2, "error: no such file"),
        (RefusedError("2 problems:", ["one", "two"]), 1, "error: 2 problems:\n  one\n  two"),
        (PermissionError(13, "Permission denied", "a"), 2, "error: a: Permission denied"),
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


@pytest.mark.parametrize(
    "error", [ModuleNotFoundError("No module named 'mine'", name="mine"), KeyError("a"), OSError()]
)
def test_a_mistake_of_the_program_is_not_hidden_and_no_verdict(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    """Python's own exit code for it is 1, which says that something was checked."""
    with pytest.raises(SystemExit) as stopped, errors_as_exit_codes():
        raise error
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert told.endswith("error: a mistake of this program; please report the lines above\n")
