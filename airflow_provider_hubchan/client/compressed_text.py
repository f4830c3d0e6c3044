"""Bytes as a short text that any store can keep: zlib, then base64."""

from __future__ import annotations

import base64
import zlib

#: Bytes beyond the right number that are still unpacked, so that an error can say how many there are.
COUNTED_BEYOND = 1000


def compress(data: bytes) -> str:
    """The text for *data*."""
    return base64.b64encode(zlib.compress(data)).decode()


def decompress(text: object, max_size: int) -> bytes:
    """The bytes that were made a text.

    :param text: what a store gave back.
    :param max_size: bytes at most. A few kilobytes may stand for gigabytes, so more are never unpacked.
    :raises ValueError: if it is not such a text, or stands for more.
    """
    if not isinstance(text, str):
        raise ValueError(f"a {type(text).__name__} where a text was kept")
    unpacking = zlib.decompressobj()
    try:
        data = unpacking.decompress(base64.b64decode(text, validate=True), max_size + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) > max_size:
        raise ValueError(f"more than {max_size:,} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("a text of another length")
    return data
