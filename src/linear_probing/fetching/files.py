"""A URL and a SHA-256 in, the file out; from a mirror where one is named.

pooch gives the file its name only when its digest is right; requests fetches it, goes on where a download was cut, and
gives up on a server that stops answering. PROBING_MIRROR names a folder, or the beginning of a URL, which has the files
below the paths of their URLs: of raw.githubusercontent.com as OWNER/REPO/COMMIT/PATH.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch
import requests
from filelock import FileLock, Timeout
from tqdm import tqdm

from linear_probing.fetching.hub import FetchError
from linear_probing.provenance import ROOT
from linear_probing.sources import Source
from linear_probing.stage import sha256

MIRROR = "PROBING_MIRROR"
PARTS = ROOT / ".cache" / "downloads"
"""Where what was cut stays, so that the next run goes on there."""
TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as one that does not answer."""
ATTEMPTS = 4
PIECE = 1 << 16
GONE = (404, 410)


class Resuming:
    """A downloader for pooch that keeps what was fetched in `part`, and goes on behind it."""

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str, mirror: Any, check_only: bool = False) -> None:
        """Fetch a URL into `output_file`, trying again where the connection was cut or the server was busy."""
        self.part.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self.part) as part:
            self._fetch(url, part)
            # Copied, not moved: pooch has made the file, and may be on another disk.
            shutil.copyfile(part, output_file)
            part.unlink()

    def _fetch(self, url: str, part: Path) -> None:
        for attempt in range(ATTEMPTS):
            try:
                self._go_on(url, part)
                break
            except requests.HTTPError as error:
                if _status(error) < 500 or attempt == ATTEMPTS - 1:
                    raise
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                if attempt == ATTEMPTS - 1:
                    raise
            except requests.exceptions.ContentDecodingError:
                part.unlink(missing_ok=True)
                raise

    def _go_on(self, url: str, part: Path) -> None:
        begin = part.stat().st_size if part.is_file() else 0
        # As it is: what a server compresses has other bytes than those that are kept and counted.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={begin}-"} if begin else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            # Nothing stands behind it: it is whole, or wrong, which the digest tells.
            if begin and response.status_code == 416:
                return
            response.raise_for_status()
            goes_on = response.status_code == 206
            length = int(response.headers.get("Content-Length", 0)) or None
            bar = tqdm(total=length, unit="B", unit_scale=True, disable=None, desc=self.part.name)
            with bar, part.open("ab" if goes_on else "wb") as file:
                for piece in response.iter_content(PIECE):
                    file.write(piece)
                    bar.update(len(piece))


@contextmanager
def _alone(part: Path) -> Iterator[Path]:
    """Give the file that nobody else writes to: `part`, or an empty one where another process has that one.

    The lock ends with its process. Where the file system knows no locks, as some of clusters, nothing is gone on with.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(FileLock(f"{part}.lock", blocking=False, fallback_to_soft=False))
        except (Timeout, OSError, NotImplementedError):
            part = Path(stack.enter_context(TemporaryDirectory(dir=part.parent)), part.name)
        yield part


def fetch(source: Source, folder: Path) -> Path:
    """Fetch a public file into a folder and return its path.

    Raises
    ------
    FetchError
        If the server, or the mirror, has no such file, cannot be reached, stops answering, or has another file.
    """
    path = unquote(urlsplit(source.url).path).lstrip("/")
    mirror, target = os.environ.get(MIRROR, ""), folder / source.file
    if mirror and "://" not in mirror:
        return _from_folder(source, Path(mirror).expanduser(), path, target)
    if mirror and not _is_web(mirror):
        what = f"{MIRROR} names {_shown(mirror)}, expected a folder or the beginning of a URL of http or https"
        raise FetchError(what, do=f"correct or unset {MIRROR}")
    url = f"{mirror.rstrip('/')}/{path}" if mirror else source.url
    elsewhere = f"fetch it where there is a network, and set {MIRROR} to a folder that holds it as {path}"
    try:
        downloader = Resuming(PARTS / f"{source.sha256}.part")
        pooch.retrieve(url, f"sha256:{source.sha256}", source.file, folder, downloader=downloader)
    except requests.HTTPError as error:
        status = _status(error)
        likely = "it was moved, or the commit is gone" if status in GONE else "the server has a fault, or wants a login"
        raise FetchError(
            f"{source.name}: the server answers {status}", file=_shown(url), likely=likely, do=elsewhere
        ) from error
    except requests.Timeout as error:
        what = f"{source.name}: the server has not answered for {TIMEOUT:g} s"
        raise FetchError(
            what, file=_shown(url), likely="the server hangs", do="run again: what was fetched stays"
        ) from error
    except (requests.exceptions.ContentDecodingError, requests.exceptions.InvalidURL) as error:
        what = f"{source.name} cannot be read as the server sends it: {type(error).__name__}"
        raise FetchError(what, file=_shown(url), likely="a fault of the server", do=elsewhere) from error
    except (requests.RequestException, OSError) as error:
        what = f"{source.name} cannot be fetched: {type(error).__name__}"
        raise FetchError(what, file=_shown(url), likely="no network, or the download was cut", do=elsewhere) from error
    except ValueError as error:  # pooch's word for another digest
        raise _other_bytes(source, _shown(url)) from error
    return target


def _status(error: requests.HTTPError) -> int:
    return error.response.status_code if error.response is not None else 0


def _is_web(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return False


def _shown(url: str) -> str:
    """Return a URL as an error may show it: without a login."""
    scheme, _, rest = url.partition("://")
    host, *path = rest.split("/")
    return "/".join([f"{scheme}://{host.rpartition('@')[2]}", *path])


def _from_folder(source: Source, mirror: Path, below: str, target: Path) -> Path:
    path = mirror / below
    if not mirror.is_dir():
        raise FetchError(f"{MIRROR} names a folder that is not there", file=mirror, do=f"correct or unset {MIRROR}")
    if not path.is_file():
        what = f"{source.name}: the mirror that {MIRROR} names does not have it"
        raise FetchError(what, file=path, do=f"put the file of {source.url} there, or unset {MIRROR}")
    if sha256(path) != source.sha256:
        raise _other_bytes(source, str(path))
    shutil.copyfile(path, target)
    return target


def _other_bytes(source: Source, place: str) -> FetchError:
    return FetchError(
        f"{source.name}: the file has not the SHA-256 {source.sha256}",
        file=place,
        likely="the server sent another file, or data/sources.csv has the digest of another commit",
        do="compare the file with the one that was meant; then correct url and sha256 in data/sources.csv",
    )
