"""A phone over adb: the app's own benchmark, started and read from here.

The app measures the artefact that is bundled with it by the same rules and writes a row of results.json, which is what
`run-as` reads back. Nothing is installed and nothing else on the phone is touched.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from benchmarks.candidates import THREADS
from benchmarks.row import LEAST_CALLS, Row, Thermal
from core.command_line import progress
from core.errors import InputError, WorkError, first_fault
from core.manifest import Manifest

DEVICE = "android"
PACKAGE = "org.megatron.mobile"
ACTIVITY = f"{PACKAGE}/.ui.BenchmarkActivity"
RESULT = "files/benchmark.json"
METHODS = ("encode", "classify")
QUICK_CALLS = 64
POLL_S = 2.0
LONGEST_S = 600.0
"""For one method: the slowest phone that is of interest needs a second a call for less."""

THERMAL = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""Android's throttling states, by their number."""

Sleep = Callable[[float], None]


def measure_android(folder: Path, manifest: Manifest, *, quick: bool, sleep: Sleep = time.sleep) -> list[Row]:
    """Rows of the artefact that the app on the phone has bundled, which must be one of `folder`'s.

    InputError where adb, a phone or the app is missing, or the app bundles something else; WorkError where its
    benchmark fails.
    """
    phone = _phone()
    if not phone.shell("pm", "path", PACKAGE).startswith("package:"):
        raise InputError(
            f"--device android: {PACKAGE} is not installed on {phone.serial}; type `make apk` and install it"
        )
    rows = []
    with progress(f"android {phone.serial}") as report:
        for done, method in enumerate(METHODS):
            report(done, len(METHODS), method)
            rows.append(_measured(phone, folder, manifest, method, quick=quick, sleep=sleep))
        report(len(METHODS), len(METHODS), "")
    return rows


@dataclass(frozen=True, kw_only=True)
class _Phone:
    adb: str
    serial: str

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.adb, "-s", self.serial, *words], capture_output=True, text=True, check=False)

    def shell(self, *words: str) -> str:
        """What the command printed; nothing where it failed."""
        done = self.run("shell", *words)
        return done.stdout.strip() if done.returncode == 0 else ""


def _phone() -> _Phone:
    """The one phone that is connected and trusts this machine."""
    adb = shutil.which("adb")
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        if adb is None and variable in os.environ:
            adb = shutil.which("adb", path=str(Path(os.environ[variable]) / "platform-tools"))
    if adb is None:
        raise InputError("--device android: no adb here; install Android's platform-tools, or set ANDROID_HOME")
    done = subprocess.run([adb, "devices"], capture_output=True, text=True, check=False)
    listed = [line.split()[:2] for line in done.stdout.splitlines()[1:] if len(line.split()) >= 2]
    ready = [serial for serial, state in listed if state == "device"]
    wanted = os.environ.get("ANDROID_SERIAL")
    if wanted is not None and wanted in ready:
        ready = [wanted]
    elif wanted is not None:
        raise InputError(
            f"--device android: no phone {wanted} (ANDROID_SERIAL) is ready; `adb devices` lists those there are"
        )
    if not ready:
        states = ", ".join(f"{serial} is {state}" for serial, state in listed) or "none is connected"
        raise InputError(f"--device android: no phone ({states}); connect one with USB debugging allowed")
    if len(ready) > 1:
        raise InputError(f"--device android: {len(ready)} phones ({', '.join(ready)}); name one in ANDROID_SERIAL")
    return _Phone(adb=adb, serial=ready[0])


def _measured(phone: _Phone, folder: Path, manifest: Manifest, method: str, *, quick: bool, sleep: Sleep) -> Row:
    # What an earlier run left must not be taken for this one's.
    phone.shell("run-as", PACKAGE, "rm", "-f", RESULT)
    before = _thermal(phone)
    calls = QUICK_CALLS if quick else LEAST_CALLS
    extras = ["--es", "method", method, "--ei", "iterations", str(calls), "--ei", "threads", str(THREADS)]
    started = phone.run("shell", "am", "start", "-W", "-n", ACTIVITY, *extras)
    said = (started.stdout + started.stderr).strip()
    if started.returncode or "Error" in said:
        line = next((line for line in said.splitlines() if "Error" in line), said or "no word")
        raise WorkError(f"{ACTIVITY} does not start on {phone.serial}: {line.strip()}")
    row = _row(_awaited(phone, method, sleep), method)
    told = [artifact for artifact in manifest.artifacts if artifact.sha256 == row.sha256]
    if not told:
        raise InputError(
            f"--device android: the app on {phone.serial} bundles {row.artifact}, which is not of {folder}; "
            f"type `python -m export --out {folder} --bundle`, then `make apk`, and install it"
        )
    # The path and the thermal state are this side's to tell; the device is what was asked for.
    return row.model_copy(
        update={
            "artifact": told[0].path,
            "device": DEVICE,
            "device_model": row.device_model or phone.shell("getprop", "ro.product.model") or phone.serial,
            "thermal": Thermal(before=before, after=_thermal(phone)),
        }
    )


def _awaited(phone: _Phone, method: str, sleep: Sleep) -> str:
    """What the app wrote, once it has: `am start` comes back as soon as the activity is shown."""
    waited_s = 0.0
    while waited_s < LONGEST_S:
        text = phone.shell("run-as", PACKAGE, "cat", RESULT)
        if _whole(text):
            return text
        if not phone.shell("pidof", PACKAGE):
            raise WorkError(f"the app on {phone.serial} ended before it wrote {RESULT}; see `adb logcat`")
        sleep(POLL_S)
        waited_s += POLL_S
    raise WorkError(f"the app on {phone.serial} wrote no {RESULT} for {method} in {LONGEST_S:g} s; see `adb logcat`")


def _whole(text: str) -> bool:
    """Whether the file is there, and written to its end."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _row(text: str, method: str) -> Row:
    """The row of `method` in what the app wrote: a list of rows, or one."""
    document = json.loads(text)
    try:
        rows = [Row.model_validate(one) for one in (document if isinstance(document, list) else [document])]
    except ValidationError as error:
        raise WorkError(f"{RESULT} of the app holds no row of results.json: {first_fault(error)}") from error
    found = [row for row in rows if (row.method, row.threads) == (method, THREADS)]
    if len(found) != 1:
        told = ", ".join(f"{row.method} on {row.threads} threads" for row in rows) or "nothing"
        raise WorkError(f"the app was asked for {method} on {THREADS} threads, and its {RESULT} holds {told}")
    return found[0]


def _thermal(phone: _Phone) -> str | None:
    """`0 (none)`; None where the phone does not tell."""
    found = re.search(r"Thermal Status: (\d+)", phone.shell("dumpsys", "thermalservice"))
    if found is None:
        return None
    state = int(found[1])
    return f"{state} ({THERMAL[state]})" if state < len(THERMAL) else str(state)
