"""Run the server until a signal stops it, and open its page in a browser."""

import gc
import signal
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread, current_thread, main_thread
from time import sleep
from typing import Any

from .service import Service


def serve_until_stopped(service: Service, announce: Callable[[], None]) -> bool:
    """Serve until Ctrl+C is pressed or SIGTERM is received, then stop the server.

    service: The server.
    announce: Called when clients can connect.
    RETURNS: Whether all of its threads have ended: see `Service.stop`.
    """
    # What has been loaded stays, and is not to be searched for garbage again and again:
    # that takes a fifth of a second.
    gc.collect()
    gc.freeze()
    # Requests leave hardly any cycles behind: look for them less often.
    gc.set_threshold(20_000, 20, 20)
    with _collect_signals() as signals:
        service.start()
        announce()
        while service.is_running and not signals:
            sleep(0.05)
        # Further signals do not interrupt this.
        return service.stop()


@contextmanager
def _collect_signals() -> Iterator[list[int]]:
    """Append signals that would end the process to a list. A handler that raises could
    do so anywhere, also during cleanup; and one that sets an `Event` could wait for a
    lock that its own thread holds."""
    signals: list[int] = []
    before: dict[signal.Signals, Any] = {}
    if current_thread() is main_thread():  # no other thread may set handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            # Shells let background processes ignore Ctrl+C.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda n, _: signals.append(n))
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_in_browser(url: str) -> None:
    """Open a page in the user's browser, unless only a browser that runs in the
    terminal is available."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    # Browsers that run in the terminal are of exactly this class.
    if type(browser) is not webbrowser.GenericBrowser:
        Thread(target=browser.open, args=(url,), daemon=True).start()
