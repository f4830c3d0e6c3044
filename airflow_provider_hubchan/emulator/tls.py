"""A certificate for 127.0.0.1 and localhost, made anew for each run."""

from __future__ import annotations

import os
import ssl
import tempfile
import weakref
from collections.abc import Callable


class Certificate:
    """A server's certificate, and the authority that has signed it.

    :param authority: its certificate in PEM.
    :ivar ca_file: path of a file with it; gone after `remove`, or at the end of the program.
    """

    def __init__(self, context: ssl.SSLContext, authority: bytes) -> None:
        self.context = context
        with tempfile.NamedTemporaryFile(prefix="hubchan-emulator-", suffix=".pem", delete=False) as file:
            file.write(authority)
        self.ca_file = file.name
        self.remove: Callable[[], object] = weakref.finalize(self, os.unlink, file.name)


def certificate() -> Certificate:
    """Make one.

    :raises ModuleNotFoundError: trustme is not installed.
    """
    try:
        import trustme  # only here: it brings cryptography, which takes longer to load than all the rest
    except ModuleNotFoundError as missing:
        command = "pip install 'airflow-provider-hubchan[emulator]'"
        raise ModuleNotFoundError(f"TLS needs {missing.name}: {command}", name=missing.name) from missing
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    return Certificate(context, authority.cert_pem.bytes())
