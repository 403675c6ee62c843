"""Answers that send a file which is open already."""

import os
from typing import BinaryIO

from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send


class OpenFileResponse(FileResponse):
    """An answer with an open file, in parts if the client asks for a range; it closes the file.

    The file is sent to its end although another request deletes it meanwhile. Its SHA-256 is its version.
    """

    def __init__(self, file: BinaryIO, media_type: str, sha256: str) -> None:
        number = file.fileno()
        # The descriptor's own address: the file's may lead nowhere by now.
        super().__init__(
            f"/dev/fd/{number}",
            headers={"ETag": f'"{sha256}"'},
            media_type=media_type,
            stat_result=os.fstat(number),
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        with self._file:
            await super().__call__(scope, receive, send)
