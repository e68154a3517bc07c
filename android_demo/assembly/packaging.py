"""From linked resources, code, native libraries and assets to one signed file."""

import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path

from android_demo.assembly.catalog import versions
from android_demo.assembly.compiling import DEX
from android_demo.assembly.freshness import redo
from android_demo.assembly.parts import Parts
from android_demo.assembly.places import APK, ASSETS, CATALOG, WORK, debug_keystore
from android_demo.assembly.resources import LINKED
from android_demo.assembly.tools import require_tools, run
from core.command_line import say
from core.errors import WorkError

EPOCH = (1981, 1, 1, 1, 1, 2)
"""The time in every entry, so that the same inputs give the same bytes."""
AS_IT_IS = {".pte", ".arsc"}
"""Never compressed: read where it lies; a program's weights hardly shrink.

Native libraries are compressed, and unpacked by the installer: as they are they would take more than half of the 40 MB
that the app may have.
"""
PAGE_BYTES = 16384
"""Memory pages of newer phones: what is not compressed is aligned to it, and so are the libraries' own segments."""
LOADED = 1
"""The type of an ELF segment that is loaded."""
NETWORK = ("android.permission.INTERNET", "android.permission.ACCESS_NETWORK_STATE")

KEY_ALIAS, KEY_PASSWORD = "androiddebugkey", "android"
"""The ones that every debug key has."""


def package(parts: Parts, abis: Sequence[str]) -> bool:
    """Make the APK for `abis`; whether anything had changed. WorkError where a tool refuses what it is given."""
    require_tools(("zipalign", "apksigner", "keytool"))
    key = _debug_key()
    libraries = [library for abi in abis for library in parts.native(abi)]
    return redo(
        "apk",
        lambda: _package(libraries, key),
        inputs=[LINKED, DEX, ASSETS, *libraries, key, CATALOG, Path(__file__)],
        outputs=[APK],
        words=abis,
    )


def verify(apk: Path) -> None:
    """WorkError where the signature of `apk` does not hold, it is not aligned, or it may reach the network."""
    run("apksigner", "verify", "--min-sdk-version", versions()["minSdk"], apk)
    run("zipalign", "-c", str(PAGE_BYTES), apk)
    permissions = run("aapt2", "dump", "permissions", apk)
    for permission in NETWORK:
        if permission in permissions:
            raise WorkError(f"the app asks for {permission}, and promises that nothing leaves the phone")


def _package(libraries: Sequence[Path], key: Path) -> None:
    say("packaging")
    for library in libraries:
        if segment_alignment(library) % PAGE_BYTES:
            raise WorkError(f"{library}: its segments do not suit memory pages of {PAGE_BYTES} bytes")
    plain, aligned, signed = (WORK / f"app.{state}" for state in ("plain", "aligned", "signed"))
    with zipfile.ZipFile(plain, "w") as out:
        with zipfile.ZipFile(LINKED) as linked:
            for name in linked.namelist():
                _add(out, name, linked.read(name))
        for dex in sorted(DEX.glob("*.dex")):
            _add(out, dex.name, dex.read_bytes())
        for library in libraries:
            _add(out, f"lib/{library.parent.name}/{library.name}", library.read_bytes())
        for asset in sorted(file for file in ASSETS.rglob("*") if file.is_file()):
            _add(out, f"assets/{asset.relative_to(ASSETS).as_posix()}", asset.read_bytes())
    run("zipalign", "-f", str(PAGE_BYTES), plain, aligned)
    run(
        "apksigner", "sign", "--ks", key, "--ks-pass", f"pass:{KEY_PASSWORD}", "--ks-key-alias", KEY_ALIAS,
        "--min-sdk-version", versions()["minSdk"], "--v4-signing-enabled", "false", "--out", signed, aligned,
    )  # fmt: skip
    verify(signed)
    os.replace(signed, APK)
    for left in (plain, aligned):
        left.unlink()


def segment_alignment(library: Path) -> int:
    """The least alignment in bytes of the segments that are loaded of a 64-bit little-endian ELF library."""
    content = library.read_bytes()
    assert content[:6] == b"\x7fELF\x02\x01"
    (table,) = struct.unpack_from("<Q", content, 0x20)
    size, count = struct.unpack_from("<HH", content, 0x36)
    headers = [struct.unpack_from("<IIQQQQQQ", content, table + index * size) for index in range(count)]
    return min(int(header[7]) for header in headers if header[0] == LOADED)


def _add(out: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_STORED if Path(name).suffix in AS_IT_IS else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    out.writestr(entry, content)


def _debug_key() -> Path:
    """The machine's debug key, made where there is none: an app signed with another would not replace the last."""
    key = debug_keystore()
    if not key.is_file():
        key.parent.mkdir(parents=True, exist_ok=True)
        run(
            "keytool", "-genkeypair", "-keystore", key, "-storetype", "PKCS12", "-alias", KEY_ALIAS,
            "-storepass", KEY_PASSWORD, "-keypass", KEY_PASSWORD, "-keyalg", "RSA", "-keysize", "2048",
            "-validity", "10950", "-dname", "CN=Android Debug, O=Android, C=US",
        )  # fmt: skip
    return key
