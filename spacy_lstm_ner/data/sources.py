"""From a file to lines of text: compression, text encoding and line ends.

A file is read as a stream, since it may be larger than memory, and a line that cannot
be decoded does not affect other lines.
"""

import bz2
import codecs
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from charset_normalizer import from_bytes

from ..exceptions import DataError

#: Called for each problem with line number, kind and message.
ReportProblem = Callable[[int, str, str], None]
#: Called with the number of bytes that were read.
Progress = Callable[[int], object]

# How much of a file is read to detect its encoding.
_SAMPLE = 1 << 18
# How much of a file is read to detect the rest.
_PEEK = 1 << 20
# How much is decoded at once, if possible.
_BLOCK = 1 << 15
_BYTE_ORDER_MARK = codecs.BOM_UTF8
# UTF-32 first: its mark begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# More invalid sequences than this, as a share of what is not ASCII, and at least so
# many, mean that a file is not UTF-8. A UTF-8 file with broken bytes has fewer.
_MAX_INVALID = 0.2
_MIN_INVALID = 3
# With fewer bytes that are not ASCII, other encodings cannot be told apart.
_MIN_BYTES = 100
# Encodings in which the bytes of a line end are not one byte.
_WIDE = ("utf-16", "utf-32")
# A surrogate code point in UTF-8, in three bytes.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
# Encodings to choose from: of Chinese, Japanese and Korean, and of Western Europe.
_CANDIDATES = ["gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252"]
_COMPRESSED: dict[bytes, tuple[str, Callable[[IO[bytes]], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda file: gzip.GzipFile(fileobj=file)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\x00": ("xz", lzma.LZMAFile),
    b"PK\x03\x04": ("zip", lambda file: _open_member(file)),
}
# What a file is that cannot be read, and what to do.
_OTHER_FILES = {
    b"%PDF": "a PDF document: extract its text and annotation first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"SQLite format 3": "an SQLite database: export its table first",
    b"\xd0\xcf\x11\xe0": "a Microsoft Office document: save it as CSV, UTF-8",
    b"\x80\x04\x95": "a Python pickle, which is not safe to read: save it as JSON",
    b"\x80\x03": "a Python pickle, which is not safe to read: save it as JSON",
    b"\x89HDF": "an HDF5 file: save it as JSON lines",
}
# Raised while a compressed file is read, beside OSError.
_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


class TextSource:
    """A text file, perhaps compressed.

    path: The file.
    compression: "gzip", "bzip2", "xz" or "zip"; "" if it is not compressed.
    encoding: Its text encoding.
    """

    def __init__(self, path: Path, encoding: str = "auto"):
        """
        path: The file.
        encoding: Its text encoding, or "auto" to detect it.
        RAISES (DataError): For a file that is not text, and for an encoding that is
            unknown or cannot be detected.
        """
        self.path = path
        self.compression = ""
        with path.open("rb") as file:
            start = file.read(512)
        for magic, (name, _) in _COMPRESSED.items():
            if start.startswith(magic):
                self.compression = name
        for magic, advice in _OTHER_FILES.items():
            if start.startswith(magic):
                raise DataError(f"{path}: {advice}")
        if start[257:262] == b"ustar":
            raise DataError(f"{path}: a tar archive: unpack it first")
        sample = self._beginning(_SAMPLE)
        if sample[257:262] == b"ustar":
            raise DataError(f"{path}: a compressed tar archive: unpack it first")
        if encoding == "auto":
            encoding = _detect_encoding(path, sample)
        try:
            self.encoding = codecs.lookup(encoding).name
        except LookupError:
            raise DataError(
                f"unknown encoding {encoding!r}: use one that Python knows, such as "
                f"utf-8, gb18030, big5 or utf-16"
            ) from None
        if self.encoding.startswith(_WIDE):
            sample = sample.decode(self.encoding, "replace").encode()
        # Before Mac OS X, lines ended in CR alone.
        self._newline = b"\r" if b"\r" in sample and b"\n" not in sample else b"\n"

    @contextmanager
    def open(self, progress: Progress | None = None) -> Iterator[IO[bytes]]:
        """Open the file as a stream of bytes, decompressed.

        progress: Called with the number of bytes of the file, as it is on the disk,
            that were read.
        RAISES (DataError): In the body of the `with` statement, if compressed data is
            damaged, or an archive does not have exactly one file.
        """
        with self.path.open("rb") as raw:
            file: IO[bytes] = raw
            if progress is not None:
                file = cast(IO[bytes], _Counted(raw, progress))
            for name, decompressed in _COMPRESSED.values():
                if name == self.compression:
                    try:
                        with decompressed(file) as stream:
                            yield stream
                    except (*_DAMAGED, OSError) as error:
                        # Other errors of the operating system have a number.
                        if isinstance(error, OSError) and error.errno is not None:
                            raise
                        reason = str(error) or type(error).__name__
                        raise DataError(
                            f"{self.path}: cannot be unpacked ({name}): {reason}"
                        ) from None
                    return
            yield file

    def lines(
        self, report: ReportProblem, progress: Progress | None = None
    ) -> Iterator[tuple[int, str]]:
        """Decode the lines of the file. Surrogates in UTF-8 are passed through: see
        `encoding.repair_surrogates`.

        report: Called for each problem with line number, kind and message.
        progress: Called with the number of bytes that were read.
        YIELDS: The number of each line, from 1, and its text without the line end.
        """
        with self.open(progress) as file:
            yield from self._lines(file, report)

    def first_lines(self) -> list[tuple[int, str]]:
        """Return the numbers and texts of the lines in the first megabyte, for
        detection. Problems are ignored: they are reported when the file is read."""
        start = self._beginning(_PEEK)
        lines = list(self._lines(io.BytesIO(start), lambda *problem: None))
        # The last line is incomplete.
        return lines[:-1] if len(start) == _PEEK and len(lines) > 1 else lines

    def _beginning(self, size: int) -> bytes:
        """Return the first bytes of the file, for detection; of a damaged file, those
        before the damage.

        RAISES (DataError): If there are none.
        """
        start = b""
        try:
            with self.open() as file:
                while len(start) < size and (block := file.read(_BLOCK)):
                    start += block
        except DataError:
            if not start:
                raise
        return start[:size]

    def _lines(
        self, file: IO[bytes], report: ReportProblem
    ) -> Iterator[tuple[int, str]]:
        if self.encoding.startswith(_WIDE):
            yield from self._decoded_lines(file, report)
            return
        if self._newline == b"\r":
            report(1, "CR line end", r"lines end in \r alone")
            for number, raw in enumerate(_split_at_returns(file), 1):
                yield number, self._decoded(raw, number, report)
            return
        number = 0
        # Most blocks can be decoded at once, which is several times as fast.
        while block := file.read(_BLOCK):
            block += file.readline()
            try:
                text = block.decode(self.encoding)
            except UnicodeDecodeError:
                text = "\ufeff"
            # As the first lines, those with invalid bytes are decoded one by one.
            if text.startswith("\ufeff"):
                for raw in io.BytesIO(block):
                    number += 1
                    yield number, self._decoded(raw, number, report)
                continue
            lines = text.split("\n")
            if not lines[-1]:
                lines.pop()
            for line in lines:
                number += 1
                if line.endswith("\r"):
                    report(number, "Windows line end", r"lines end in \r\n")
                    line = line.rstrip("\r")
                yield number, line

    def chunks(
        self,
        report: ReportProblem,
        progress: Progress | None = None,
        size: int = 1 << 16,
    ) -> Iterator[str]:
        """Decode the file in pieces that end with a line end or after `size` characters
        of a line, for values that span lines.

        report: Called for each problem with line number, kind and message.
        progress: Called with the number of bytes that were read.
        size: Maximum number of characters.
        YIELDS: Text, in which lines end in "\\n".
        """
        # A single line may be the whole file, so that `lines` is of no use here.
        errors = "surrogatepass" if self.encoding == "utf-8" else "strict"
        new_decoder = codecs.getincrementaldecoder(self.encoding)
        decoder, replacing = new_decoder(errors), new_decoder("replace")
        number, is_last = 1, False
        with self.open(progress) as file:
            while not is_last:
                raw = file.read(size)
                is_last = not raw
                pending = decoder.getstate()
                try:
                    text = decoder.decode(raw, is_last)
                except UnicodeDecodeError as error:
                    report(number, _invalid(self.encoding), error.reason)
                    replacing.setstate(pending)
                    text = replacing.decode(raw, is_last)
                    decoder.setstate(replacing.getstate())
                if number == 1 and text.startswith("\ufeff"):
                    report(1, "byte-order mark", "at the beginning of the file")
                    text = text.lstrip("\ufeff")
                number += text.count("\n")
                yield text

    def _decoded(self, raw: bytes, number: int, report: ReportProblem) -> str:
        """Decode a line, of an encoding in which ASCII characters are as in ASCII."""
        if number == 1 and raw.startswith(_BYTE_ORDER_MARK):
            report(number, "byte-order mark", "at the beginning of the file")
            while raw.startswith(_BYTE_ORDER_MARK):
                raw = raw[len(_BYTE_ORDER_MARK) :]
        line = raw.rstrip(b"\r\n")
        if self._newline == b"\n" and raw.endswith((b"\r\n", b"\r")):
            report(number, "Windows line end", r"lines end in \r\n")
        try:
            text = line.decode(self.encoding)
            # In other encodings than UTF-8.
            if number == 1 and text.startswith("\ufeff"):
                report(number, "byte-order mark", "at the beginning of the file")
                text = text.lstrip("\ufeff")
            return text
        except UnicodeDecodeError as error:
            try:
                if self.encoding == "utf-8":
                    return line.decode(errors="surrogatepass")
            except UnicodeDecodeError:
                pass
            message = f"{error.reason}, byte {error.start + 1}"
            report(number, _invalid(self.encoding), message)
            return line.decode(self.encoding, errors="replace")

    def _decoded_lines(
        self, file: IO[bytes], report: ReportProblem
    ) -> Iterator[tuple[int, str]]:
        """Decode an encoding in which the bytes of a line end are not one byte."""
        newline = self._newline.decode()
        if newline == "\r":
            report(1, "CR line end", r"lines end in \r alone")
        # `newline` keeps all others as they are.
        text = io.TextIOWrapper(
            cast(io.BufferedReader, file), self.encoding, "replace", newline=newline
        )
        for number, line in enumerate(text, 1):
            if number == 1:
                line = line.lstrip("\ufeff")
            if newline == "\n" and line.endswith(("\r\n", "\r")):
                report(number, "Windows line end", r"lines end in \r\n")
            line = line.rstrip("\r\n")
            if "\ufffd" in line:
                report(number, _invalid(self.encoding), "invalid bytes")
            yield number, line


class _Counted(io.RawIOBase):
    """A binary file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], progress: Progress):
        self._file = file
        self._progress = progress

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._progress(len(data))
        return data

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        size = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._progress(size)
        return cast(int, size)

    def readline(self, size: int | None = -1) -> bytes:
        line = self._file.readline(-1 if size is None else size)
        self._progress(len(line))
        return line

    def __next__(self) -> bytes:
        if line := self.readline():
            return line
        raise StopIteration


def _invalid(encoding: str) -> str:
    return "not UTF-8" if encoding == "utf-8" else "invalid bytes"


def _split_at_returns(file: IO[bytes]) -> Iterator[bytes]:
    """Yield lines that end in CR."""
    rest = b""
    while data := file.read(1 << 16):
        *lines, rest = (rest + data).split(b"\r")
        yield from lines
    if rest:
        yield rest


def _open_member(file: IO[bytes]) -> IO[bytes]:
    """Open the only file of a zip archive.

    RAISES (BadZipFile): If it cannot be read, or is not the only one.
    """
    archive = zipfile.ZipFile(file)
    names = [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith(("__MACOSX/", "."))
    ]
    if "[Content_Types].xml" in names:
        raise zipfile.BadZipFile("an Office document: save it as CSV, UTF-8")
    if len(names) != 1:
        listed = ", ".join(names[:5])
        raise zipfile.BadZipFile(
            f"the archive has {len(names)} files ({listed:.200}): unpack it, and give "
            f"the files or their folder"
        )
    try:
        return archive.open(names[0])
    except RuntimeError as error:
        # It is encrypted, or its method of compression is not known to Python.
        raise zipfile.BadZipFile(str(error)) from None


def _detect_encoding(path: Path, sample: bytes) -> str:
    """Detect the encoding of text by its first bytes.

    RAISES (DataError): If it is not UTF-8, and the encoding cannot be detected.
    """
    for mark, encoding in _MARKS.items():
        if sample.startswith(mark):
            return encoding
    # Surrogates in UTF-8 are repaired later.
    valid = _SURROGATE.sub("？".encode(), sample)
    text = valid.decode("utf-8", errors="replace")
    invalid = text.count("\ufffd") - sample.count("\ufffd".encode())
    # In UTF-16, every other byte of ASCII characters is null, line ends included.
    has_nulls = sample.count(0) > len(sample) / 20 and len(sample) > 8
    other = len(text) - sum(map(str.isascii, text))
    is_utf8 = invalid < _MIN_INVALID or invalid <= _MAX_INVALID * other
    if not has_nulls and is_utf8:
        return "utf-8"
    candidates = ["utf_16_le", "utf_16_be"] if has_nulls else _CANDIDATES
    best = None
    if sum(byte > 127 for byte in sample) >= _MIN_BYTES:
        best = from_bytes(sample, cp_isolation=candidates).best()
    if best is None:
        raise DataError(
            f"{path}: neither UTF-8 nor an encoding that can be recognized. Give its "
            f"encoding, for example with --encoding gb18030"
        )
    return best.encoding
