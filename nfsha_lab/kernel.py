"""A compressed kernel is unpacked once on the host instead of at each boot of an emulated machine."""

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable

# Documentation/arch/x86/boot.rst of Linux: the setup header.
SETUP_SECTORS = 0x1F1
MAGIC = 0x202
PAYLOAD = 0x248
SECTOR = 512

UNPACKERS: tuple[tuple[bytes, Callable[[bytes], bytes]], ...] = (
    (b"\xfd7zXZ\x00", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", lambda data: bz2.BZ2Decompressor().decompress(data)),
)


def unpacked(image: bytes) -> bytes:
    """The ELF kernel within a bzImage, which QEMU boots by its PVH note; the image itself if it is packed otherwise."""
    if image[MAGIC : MAGIC + 4] != b"HdrS":
        return image
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    begin = (image[SETUP_SECTORS] + 1) * SECTOR + offset
    payload = image[begin : begin + length]
    for magic, unpack in UNPACKERS:
        if payload.startswith(magic):
            # The last four bytes are the length after unpacking, and no part of the stream.
            kernel = unpack(payload[:-4])
            return kernel if kernel.startswith(b"\x7fELF") else image
    return image
