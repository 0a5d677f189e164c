"""SIGTERM ends a command in order, whoever else would like to hear it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from converters.stopping import code_of_end, held_back

ASKED = """
import os, signal, sys
from converters.stopping import end_in_order
end_in_order()
end_in_order()
for name in sys.argv[1:]:
    __import__(name)
try:
    os.kill(os.getpid(), signal.SIGTERM)
finally:
    print("in order")
"""


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("loaded", [(), ("paddle",)])
def test_it_ends_in_order_after_paddle_was_loaded_too(loaded: tuple[str, ...]) -> None:
    """Paddle's own handler prints a trace, and leaves everything lying."""
    ended = run(ASKED, *loaded)
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "in order\n", "")


def test_without_it_paddle_hears_the_signal() -> None:
    """The reason for it; once this fails, it may go."""
    code = ASKED.replace("end_in_order()\n", "").replace("import end_in_order", "import *")
    ended = run(code, "paddle")
    assert ended.returncode < 0
    assert "in order" not in ended.stdout


def taken_for_its_own(signalled: BaseException) -> ImportError:
    """What Paddle makes of a signal that comes while it is loaded."""
    try:
        try:
            raise signalled
        except BaseException as cause:
            raise ImportError("initialization failed") from cause
    except ImportError as error:
        return error


@pytest.mark.parametrize(
    ("signalled", "code"),
    [(KeyboardInterrupt(), 130), (SystemExit(143), 143), (ValueError("no file"), None)],
)
def test_a_signal_amid_an_import_is_told_from_an_import_that_fails(
    signalled: BaseException, code: int | None
) -> None:
    assert code_of_end(taken_for_its_own(signalled)) == code
    assert code_of_end(signalled) == code


PASSED_OVER = """
import os, signal, sys, time, weakref
from converters.stopping import end_in_order
end_in_order()
class Kept: pass
kept = Kept()
number = getattr(signal, sys.argv[1])
watched = weakref.ref(kept, lambda _: os.kill(os.getpid(), number))
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    del kept
    time.sleep(60)
except KeyboardInterrupt:
    print("Ctrl-C")
finally:
    print("in order")
"""


@pytest.mark.parametrize(
    ("name", "code", "said"), [("SIGTERM", 143, ""), ("SIGINT", 0, "Ctrl-C\n")]
)
def test_a_signal_that_python_passes_over_comes_again(name: str, code: int, said: str) -> None:
    ended = run(PASSED_OVER, name)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, f"{said}in order\n", "")


def test_without_it_python_passes_over_the_signal() -> None:
    """The reason for it."""
    code = PASSED_OVER.replace("end_in_order()\n", "").replace("import end_in_order", "import *")
    ended = run(code.replace("sleep(60)", "sleep(0)"), "SIGINT")
    assert (ended.returncode, ended.stdout) == (0, "in order\n")
    assert "Exception ignored in" in ended.stderr


def test_other_errors_that_python_passes_over_are_told_as_ever() -> None:
    code = PASSED_OVER.replace("os.kill(os.getpid(), number)", "1 / 0").replace("(60)", "(0)")
    assert "ZeroDivisionError" in run(code, "SIGINT").stderr


ENDING = """
import os, signal, sys
from converters.stopping import end_in_order
end_in_order()
class Half:
    def __del__(self): raise ValueError("half written")
def work():
    half = Half()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        del half
        for _ in range(10**6): pass
        print("in order")
work()
"""


def test_what_goes_wrong_while_a_signal_ends_the_command_needs_no_word() -> None:
    ended = run(ENDING)
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "in order\n", "")


AMID = """
import os, signal, sys, threading, time
from converters.stopping import end_in_order
signal.signal(signal.SIGINT, signal.default_int_handler)
end_in_order()
number = getattr(signal, sys.argv[1])
def hit(event, arguments):
    if event == "import" and arguments[0] == "paddle.base.core":
        os.kill(os.getpid(), number)
sys.addaudithook(hit)
if sys.argv[2] == "threads":
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
try:
    import paddle
except KeyboardInterrupt:
    print("Ctrl-C")
finally:
    print("paddle.base.core" in sys.modules)
"""


@pytest.mark.parametrize("threads", ["threads", "alone"])
@pytest.mark.parametrize(
    ("name", "code", "said"), [("SIGTERM", 143, ""), ("SIGINT", 0, "Ctrl-C\n")]
)
def test_a_signal_while_paddle_is_loaded_comes_after_it(
    name: str, code: int, said: str, threads: str
) -> None:
    """Amid it, Paddle says that it cannot be imported, or never ends."""
    ended = run(AMID, name, threads)
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, f"{said}True\n", "")


@pytest.mark.parametrize("handler", [signal.SIG_DFL, signal.SIG_IGN, lambda *_: None])
def test_who_hears_signals_is_the_same_after_they_were_held_back(handler: Any) -> None:
    before = signal.signal(signal.SIGTERM, handler)
    try:
        with held_back():
            assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        assert signal.getsignal(signal.SIGTERM) is handler
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    finally:
        signal.signal(signal.SIGTERM, before)


def test_another_thread_holds_nothing_back() -> None:
    found: list[object] = []

    def work() -> None:
        with held_back():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


IGNORED = """
import os, signal
from converters.stopping import end_in_order
signal.signal(signal.SIGHUP, signal.SIG_IGN)
end_in_order()
os.kill(os.getpid(), signal.SIGHUP)
print("goes on")
"""


def test_what_nohup_began_goes_on_without_its_terminal() -> None:
    assert run(IGNORED).stdout == "goes on\n"
