"""Messages between the grader and the process that runs a student's file: plain data, no pickle.

A message is a frame: a token of 16 bytes that both sides know, the length, and the body. The body
is a JSON tree, in which an array is a reference, and then the bytes of the arrays. So reading a
message can run nobody's code, and a frame with another token or an impossible shape is refused.
"""

import json
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

SCRATCH_BYTES = 32 * 2**20
"""What a submission may write, in all; both sides keep an eye on it."""
TOKEN = 16
MAX_BYTES = 64 * 2**20
"""Arrays in one message; with the tree, that has a limit of its own, a body is a little longer."""
MAX_TREE = 4 * 2**20
"""Bytes of the tree."""
MAX_NODES = 5000
MAX_DEPTH = 8
DTYPES = {
    *("<f2", "<f4", "<f8", "<c8", "<c16", "|b1", "|i1", "<i2", "<i4", "<i8"),
    *("|u1", "<u2", "<u4", "<u8"),
}


class MessageError(Exception):
    """What came is no message."""


class Opaque:
    """Something that is no plain data; only the name of its type went over."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def encode(value: Any) -> bytes:
    """Turn nested dicts, lists, tuples, numbers, strings and arrays into bytes.

    Raises
    ------
    MessageError
        If it is nested too deeply, or too long.
    """
    blobs: list[bytes] = []
    nodes = [0]
    tree = json.dumps(_tree(value, blobs, nodes, 0)).encode()
    if len(tree) > MAX_TREE:
        raise MessageError(f"the text takes more than {MAX_TREE // 2**20} MB")
    return b"".join([struct.pack("<I", len(tree)), tree, *blobs])


def _tree(value: Any, blobs: list[bytes], nodes: list[int], depth: int) -> Any:
    nodes[0] += 1
    if nodes[0] > MAX_NODES or depth > MAX_DEPTH:
        raise MessageError("too many nested parts")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, dict):
        keys = [key if isinstance(key, str) else repr(key)[:50] for key in value]
        items = [_tree(v, blobs, nodes, depth + 1) for v in value.values()]
        return {"dict": [list(pair) for pair in zip(keys, items, strict=True)]}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_tree(v, blobs, nodes, depth + 1) for v in value]}
    if isinstance(value, np.ndarray | np.generic | complex) or hasattr(value, "__array__"):
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.str in DTYPES:
            if array.nbytes + sum(map(len, blobs)) > MAX_BYTES:
                raise MessageError(f"the arrays take more than {MAX_BYTES // 2**20} MB")
            blobs.append(array.tobytes())
            return {"array": [array.dtype.str, list(array.shape)]}
    return {"other": type(value).__name__[:50]}


def decode(body: bytes) -> Any:
    """Turn bytes back into what was encoded; types that are no plain data become `Opaque`."""
    try:
        (length,) = struct.unpack_from("<I", body)
        if length > MAX_TREE:
            raise MessageError("its text is too long")
        tree = json.loads(body[4 : 4 + length])
        at = [4 + length]
        value = _value(tree, body, at, [0], 0)
    except MessageError:
        raise
    except (ValueError, TypeError, KeyError, struct.error, RecursionError) as error:
        raise MessageError(f"it cannot be read ({type(error).__name__})") from None
    if at[0] != len(body):
        raise MessageError("it has bytes left over")
    return value


def _value(tree: Any, body: bytes, at: list[int], nodes: list[int], depth: int) -> Any:
    nodes[0] += 1
    if nodes[0] > MAX_NODES or depth > MAX_DEPTH:
        raise MessageError("too many nested parts")
    if not isinstance(tree, dict):
        if tree is None or type(tree) in (bool, int, float, str):
            return tree
        raise MessageError("a part of it is of no known kind")
    if len(tree) != 1:
        raise MessageError("a part of it is of no known kind")
    ((kind, what),) = tree.items()
    if kind == "dict":
        return {_key(key): _value(v, body, at, nodes, depth + 1) for key, v in what}
    if kind in ("tuple", "list"):
        return (tuple if kind == "tuple" else list)(
            _value(v, body, at, nodes, depth + 1) for v in what
        )
    if kind == "array":
        return _array(what, body, at)
    if kind == "other":
        return Opaque(str(what)[:50])
    raise MessageError("a part of it is of no known kind")


def _key(key: Any) -> str:
    """A key; it becomes a name in a report, and must not look like a line of it."""
    return "".join(c if c.isprintable() else "?" for c in str(key)[:200])


def _array(what: Any, body: bytes, at: list[int]) -> np.ndarray:
    dtype, shape = what
    if dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise MessageError("an array has an impossible dtype or shape")
    count = math.prod(shape)
    start, at[0] = at[0], at[0] + count * np.dtype(dtype).itemsize
    if at[0] > len(body):
        raise MessageError("an array is cut off")
    return np.frombuffer(body, dtype, count, start).reshape(shape).copy()


def frame(token: bytes, body: bytes) -> bytes:
    """Put the token and the length before a body."""
    return token + struct.pack("<Q", len(body)) + body


def read_frame(token: bytes, read: Callable[[int], bytes]) -> bytes:
    """Read a frame's body; raise `MessageError` for anything else, `EOFError` at the end.

    `read(n)` returns exactly n bytes, or fewer at the end.
    """
    head = read(TOKEN + 8)
    if not head:
        raise EOFError
    if len(head) < TOKEN + 8 or head[:TOKEN] != token:
        raise MessageError("it does not carry this run's token")
    (length,) = struct.unpack("<Q", head[TOKEN:])
    if length > 2 * MAX_BYTES:
        raise MessageError("it is too long")
    body = read(length)
    if len(body) < length:
        raise EOFError
    return body
