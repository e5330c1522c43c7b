"""The password of a camera, which never stands in the factory's file."""

from __future__ import annotations

import os
from pathlib import Path

from deungdae.core.errors import Unreachable

from .options import Options


def password(options: Options) -> str:
    """Return the password that the options name. Raises Unreachable."""
    if options.password_env:
        if (found := os.environ.get(options.password_env)) is None:
            raise Unreachable(
                f"the environment variable {options.password_env} is not set",
                remedy="set it to the camera's password before the start, or use password_file",
            )
        return found
    try:
        lines = Path(options.password_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Unreachable(
            f"password_file {options.password_file}: {error}",
            remedy="put the password into that file, readable by this program only",
        ) from error
    return lines[0] if lines else ""
