"""Tar archives for tests."""

import io
import tarfile


def tar(files: dict[str, bytes], link: str | None = None) -> bytes:
    """Return an archive of files, and of a symbolic link to ``link`` if that is given."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        if link:
            member = tarfile.TarInfo("link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
    return buffer.getvalue()
