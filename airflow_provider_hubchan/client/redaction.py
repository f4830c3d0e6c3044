"""Take secrets out of texts that others wrote: they may repeat what they were sent, also in the spelling of HTTP or HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "***"


def redact(text: str, secrets: Iterable[str]) -> str:
    """*text* without *secrets*, in whatever spelling. Redact before a text is cut: half a secret is a secret, too."""
    for secret in secrets:
        if secret:
            text = _pattern(secret).sub(MASK, text)
    return text


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    """A pattern for every spelling: each character as it is, percent-encoded, as an HTML reference, or escaped as in JSON."""
    return re.compile("".join(map(_character, secret)))


def _character(character: str) -> str:
    code = ord(character)
    spellings = [re.escape(character), "".join(f"%(?i:{byte:02x})" for byte in character.encode(errors="surrogatepass"))]
    spellings.append(rf"&\#(?:{code}|(?i:x0*{code:x}));")
    if not character.isalnum():
        spellings += [re.escape(html.escape(character)), rf"\\{re.escape(character)}"]
    if not character.isalnum() or not character.isascii():
        spellings.append(rf"\\u(?i:{code:04x})")
    if character == " ":
        spellings.append(r"\+")
    return f"(?:{'|'.join(spellings)})"
