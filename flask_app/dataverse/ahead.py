"""Reading ahead: the next page is on its way while this one is worked on."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def ahead(pages: Iterable[T]) -> Iterator[T]:
    """Yield the pages while the next one is already being waited for."""
    coming = iter(pages)
    page = _asked_for(coming)
    while (read := page.result()) is not None:
        page = _asked_for(coming)
        yield read


def _asked_for(coming: Iterator[T]) -> Future[T | None]:
    """Ask for the next page in a thread that nobody waits for: the program can end while Dataverse hangs."""
    page: Future[T | None] = Future()

    def ask() -> None:
        try:
            page.set_result(next(coming, None))
        except BaseException as error:  # noqa: BLE001  # raised where the page is waited for
            page.set_exception(error)

    Thread(target=ask, name="next-page", daemon=True).start()
    return page
