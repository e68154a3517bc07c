"""What other people made: fetched with Maven's and npm's own clients, held to its checksum, laid out for the build.

.parts/maven/            class files taken out of .aar archives, as a Maven repository
.parts/lib/ABI/*.so      native libraries
.parts/framework.zip     Android's own manifest and resources, to link against
.parts/android.jar       Android's public classes, to shrink against: all of them would take twice as long
"""

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from android_demo.assembly.catalog import versions, write_maven_config
from android_demo.assembly.files import digest
from android_demo.assembly.places import CATALOG, CHECKSUMS, DEMO, PARTS
from android_demo.assembly.tools import maven_class_path, require_tools, run
from core.command_line import say
from core.errors import WorkError
from core.manifest import sha256_of

ABIS = ("arm64-v8a", "x86_64")
DONE = "done"
PUBLIC = ("android/", "dalvik/", "org/")
"""Where the classes of Android lie that an app may name."""

FROM_AARS = {"fbjni": "fbjni", "monitor": "androidxMonitor", "espresso-idling-resource": "espressoIdling"}
"""Archives whose classes are needed, and the name of their version."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Where the fetched parts lie."""

    r8: Path
    android: Path
    framework: Path
    maven: Path
    libraries: Path

    def native(self, abi: str) -> list[Path]:
        """The native libraries for `abi`."""
        return sorted((self.libraries / abi).glob("*.so"))

    def runtimes(self) -> dict[str, Path]:
        """The runtime's own library, by ABI."""
        return {abi: self.libraries / abi / "libexecutorch.so" for abi in ABIS}


def gather() -> Parts:
    """Fetch what is not there yet, check it, and lay it out.

    Raises InputError where a client is missing, WorkError where a part cannot be fetched or is another than it was.
    """
    write_maven_config()
    state = digest([CATALOG, CHECKSUMS, Path(__file__)])
    stamp = PARTS / DONE
    known = stamp.read_text().splitlines() if stamp.is_file() else []
    if len(known) == 2 and known[0] == state and Path(known[1]).is_file():
        return _parts(Path(known[1]))
    require_tools(("java", "mvn", "npm"))
    say("fetching the app's parts (some minutes the first time)")
    archives = _from_maven()
    PARTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PARTS) as scratch:
        _lay_out(archives, _from_npm(Path(scratch)), Path(scratch) / "new")
        for new in (Path(scratch) / "new").iterdir():
            if new.is_dir():
                shutil.rmtree(PARTS / new.name, ignore_errors=True)
            new.replace(PARTS / new.name)
    stamp.write_text("\n".join((state, str(archives["r8"]))))
    return _parts(archives["r8"])


def _parts(r8: Path) -> Parts:
    return Parts(
        r8=r8,
        android=PARTS / "android.jar",
        framework=PARTS / "framework.zip",
        maven=PARTS / "maven",
        libraries=PARTS / "lib",
    )


def check(path: Path) -> None:
    """WorkError where the sha256 of `path` is not the recorded one of its name."""
    lines = (line.split() for line in CHECKSUMS.read_text().splitlines())
    recorded = {name: expected for expected, name in lines}
    found = sha256_of(path)
    if recorded.get(path.name) != found:
        raise WorkError(f"{path}: its sha256 is {found}, {CHECKSUMS.name} has {recorded.get(path.name, 'none')}")


def _from_maven() -> Mapping[str, Path]:
    """Archives and tools in Maven's own store, checked, by artefact."""
    with tempfile.NamedTemporaryFile("r") as listed:
        maven_class_path("-f", "parts.pom.xml", to=listed.name, folder=DEMO)
        paths = [Path(path) for path in listed.read().strip().split(":")]
    for path in paths:
        check(path)
    return {path.parent.parent.name: path for path in paths}


def _from_npm(folder: Path) -> Path:
    """The unpacked package that carries the runtime."""
    package = f"react-native-executorch@{versions()['reactNativeExecutorch']}"
    run("npm", "pack", package, "--silent", "--pack-destination", folder)
    archive = next(folder.glob("*.tgz"))
    check(archive)
    wanted = ("package/android/libs/classes.jar", "package/third-party/android/libs/executorch/")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, [one for one in tar.getmembers() if one.name.startswith(wanted)], filter="data")
    return folder / "package"


def _lay_out(archives: Mapping[str, Path], runtime: Path, folder: Path) -> None:
    known = versions()
    for artifact, version in FROM_AARS.items():
        with zipfile.ZipFile(archives[artifact]) as aar:
            _install(folder / "maven", artifact, known[version], aar.read("classes.jar"))
    jar = (runtime / "android/libs/classes.jar").read_bytes()
    _install(folder / "maven", "executorch-android", known["reactNativeExecutorch"], jar)
    for abi in ABIS:
        library = folder / "lib" / abi
        library.mkdir(parents=True)
        shutil.copy(runtime / f"third-party/android/libs/executorch/{abi}/libexecutorch.so", library)
        with zipfile.ZipFile(archives["fbjni"]) as aar:
            for name in ("libfbjni.so", "libc++_shared.so"):
                (library / name).write_bytes(aar.read(f"jni/{abi}/{name}"))
    with (
        zipfile.ZipFile(archives["android-all"]) as everything,
        zipfile.ZipFile(folder / "framework.zip", "w") as framework,
        zipfile.ZipFile(folder / "android.jar", "w") as classes,
    ):
        for name in ("AndroidManifest.xml", "resources.arsc"):
            framework.writestr(name, everything.read(name))
        for name in everything.namelist():
            if name.startswith(PUBLIC) and name.endswith(".class"):
                classes.writestr(name, everything.read(name))


def _install(repository: Path, artifact: str, version: str, jar: bytes) -> None:
    """Put a jar into a Maven repository, under a group of our own since it is only part of what it came from."""
    folder = repository / "org/megatron/parts" / artifact / version
    folder.mkdir(parents=True)
    (folder / f"{artifact}-{version}.jar").write_bytes(jar)
    (folder / f"{artifact}-{version}.pom").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>org.megatron.parts</groupId>"
        f"<artifactId>{artifact}</artifactId><version>{version}</version></project>\n"
    )
