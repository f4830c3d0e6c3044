"""Faults in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml


def read_faults(path: str | os.PathLike[str]) -> list[Any]:
    """The faults of a YAML or JSON file: a list, or an object whose ``faults`` is one.

    :raises ValueError: it cannot be read, or is something else. The faults themselves are not looked at.
    """
    try:
        said = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path} cannot be read as YAML or JSON: {error}") from error
    faults = said["faults"] if isinstance(said, dict) and list(said) == ["faults"] else said
    if not isinstance(faults, list):
        raise ValueError(f"{path} must hold a list of faults, or an object with nothing but the key faults")
    return faults
