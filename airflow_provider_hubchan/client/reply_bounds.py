"""How much of a reply is read, in bytes, before it is given up: both drivers hold to it."""

from __future__ import annotations

import zlib

#: Bytes of a whole reply with its headers and interim replies, and of its body once it is decompressed. A message of HubSpot's
#: has a few thousand.
MAX_REPLY = 1_000_000
#: Replies are not to be compressed: they are small, and a compressed one can be a thousand times larger than it looks.
ACCEPT_ENCODING = "identity"
#: zlib's code for a header of gzip or zlib.
_ANY_HEADER = 32 + zlib.MAX_WBITS


class ReplyTooLarge(Exception):
    """A reply has more than `MAX_REPLY` bytes."""


def decompress(body: bytes, content_encoding: str | None) -> bytes:
    """The body as it was before somebody compressed it all the same.

    :param content_encoding: the header's value, None if there is none. In another encoding than gzip or deflate the body stays
        as it is, and is no JSON.
    :raises ReplyTooLarge: if it has more than `MAX_REPLY` bytes.
    :raises zlib.error: if it is not in that encoding.
    """
    if (content_encoding or "").strip().lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    plain = zlib.decompressobj(_ANY_HEADER).decompress(body, MAX_REPLY + 1)
    if len(plain) > MAX_REPLY:
        raise ReplyTooLarge
    return plain
