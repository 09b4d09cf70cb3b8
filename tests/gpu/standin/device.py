"""`cupy.cuda`: one pretended device, whose memory of the host is fetched later than it seems."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from .memory import OutOfMemoryError


class CUDARuntimeError(RuntimeError):
    """An error of the CUDA runtime, by its number."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"cudaError {status}")


class PinnedMemoryError(AssertionError):
    """The host wrote to memory from which the device had yet to fetch."""


class Stream:
    """The order of what is queued; copies from the host are only known to have ended at an event.

    A copy from pinned memory takes place some time after it was queued. Whoever writes to that
    memory before the end was waited for would send other numbers; here that is an error.
    """

    null: "Stream"

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False) -> None:
        self._in_flight: list[tuple[np.ndarray, np.ndarray]] = []

    def _fetching(self, host: np.ndarray) -> None:
        self._in_flight.append((host, host.copy()))

    def synchronize(self) -> None:
        in_flight, self._in_flight = self._in_flight, []
        _same(in_flight)

    def record(self, event: "Event | None" = None) -> "Event":
        event = Event() if event is None else event
        event.record(self)
        return event

    def __enter__(self) -> "Stream":
        raise NotImplementedError("the stand-in has one stream")


def _same(copies: list[tuple[np.ndarray, np.ndarray]]) -> None:
    for host, sent in copies:
        if host.tobytes() != sent.tobytes():
            raise PinnedMemoryError("pinned memory was written before its copy had ended")


class Event:
    """A place in a stream that the host can wait for."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self._stream: Stream | None = None
        self._before: list[tuple[np.ndarray, np.ndarray]] = []

    def record(self, stream: Stream | None = None) -> None:
        self._stream = Stream.null if stream is None else stream
        self._before = list(self._stream._in_flight)

    def synchronize(self) -> None:
        if self._stream is None:
            return
        arrived, self._before = self._before, []
        known = {id(sent) for _, sent in arrived}
        self._stream._in_flight = [
            copy for copy in self._stream._in_flight if id(copy[1]) not in known
        ]
        _same(arrived)

    @property
    def done(self) -> bool:
        return not self._before


Stream.null = Stream(null=True)


def get_current_stream() -> Stream:
    return Stream.null


class Device:
    """The device, number 0."""

    def __init__(self, device: int | None = None) -> None:
        if device:
            raise CUDARuntimeError(101)  # cudaErrorInvalidDevice
        self.id = 0

    def use(self) -> "Device":
        return self

    def synchronize(self) -> None:
        Stream.null.synchronize()

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __int__(self) -> int:
        return self.id


def is_available() -> bool:
    return True


def getDeviceCount() -> int:
    return 1


def getDeviceProperties(device: int) -> dict[str, Any]:
    return {"name": b"stand-in on the CPU", "major": 0, "minor": 0}


def driverGetVersion() -> int:
    return 0


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=getDeviceCount,
    getDeviceProperties=getDeviceProperties,
    driverGetVersion=driverGetVersion,
)

cuda = SimpleNamespace(
    Device=Device,
    Event=Event,
    Stream=Stream,
    get_current_stream=get_current_stream,
    is_available=is_available,
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    runtime=runtime,
)
