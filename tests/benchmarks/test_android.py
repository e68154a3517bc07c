"""A phone over adb, played by an executable that answers from a script and records what it was asked."""

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import android
from benchmarks.__main__ import COMMANDS
from benchmarks.android import measure_android
from benchmarks.results import RESULTS, read_results
from core.command_line import run_command
from core.errors import InputError, WorkError
from core.manifest import Manifest
from tests.benchmarks.conftest import row
from tests.benchmarks.tiny import PROGRAM, write_artifact

ADB = """#!{python}
import json, pathlib, sys
words, folder = sys.argv[1:], pathlib.Path({folder!r})
with (folder / "asked").open("a") as log:
    log.write(json.dumps(words) + "\\n")
line = " ".join(words)
for part, answers in json.loads((folder / "script.json").read_text()):
    if part in line:
        counter = folder / part.replace("/", "_").replace(" ", "_")
        turn = int(counter.read_text()) if counter.exists() else 0
        counter.write_text(str(turn + 1))
        answer = answers[min(turn, len(answers) - 1)]
        print(answer["out"])
        sys.exit(answer.get("code", 0))
sys.exit(1)
"""


class Adb:
    """The executable and its script: the first part that is in the command answers, the last answer from then on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script: list[tuple[str, list[dict[str, Any]]]] = []
        executable = folder / "adb"
        executable.write_text(ADB.format(python=sys.executable, folder=str(folder)))
        executable.chmod(executable.stat().st_mode | stat.S_IXUSR)

    def says(self, part: str, *answers: str | tuple[str, int]) -> None:
        """`answers` to commands with `part` in them; a number beside one is its exit code."""
        told = [{"out": a} if isinstance(a, str) else {"out": a[0], "code": a[1]} for a in answers]
        self.script = [(part, told), *(one for one in self.script if one[0] != part)]
        (self.folder / "script.json").write_text(json.dumps(self.script))

    def asked(self) -> list[list[str]]:
        """Every command, in order."""
        return [json.loads(line) for line in (self.folder / "asked").read_text().splitlines()]


def answer(method: str, **changes: object) -> dict[str, Any]:
    """A row as the app writes it."""
    told = row("student.pte", method, 8.0).model_dump(mode="json")
    return {**told, "device": "android", "device_model": "Maker One", "ratio_to_anchor": None, "sha256": "x", **changes}


@pytest.fixture
def artifact(tmp_path: Path) -> tuple[Path, Manifest]:
    """Nothing here executes the program, so any bytes will do."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    return folder, write_artifact(folder, b"a program")


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, artifact: tuple[Path, Manifest]) -> Adb:
    """A healthy phone whose app bundles the tiny artefact."""
    folder = tmp_path / "sdk"
    folder.mkdir()
    found = Adb(folder)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    sha256 = artifact[1].artifacts[0].sha256
    found.says("devices", "List of devices attached\nP1\tdevice\n")
    found.says("pm path", "package:/data/app/base.apk")
    found.says(
        "dumpsys thermalservice", *(f"IsStatusOverride: false\nThermal Status: {n}\nCached" for n in (0, 1, 1, 2))
    )
    found.says("am start", "Starting: Intent\nStatus: ok\nComplete")
    found.says("rm -f", "")
    found.says("pidof", "1234")
    rows = [json.dumps([answer(method, sha256=sha256)]) for method in ("encode", "classify")]
    # Not there yet, half written, whole; then the second method's.
    found.says("cat files/benchmark.json", ("cat: no such file", 1), rows[0][:40], rows[0], rows[1])
    return found


def naps() -> tuple[list[float], Callable[[float], None]]:
    slept: list[float] = []
    return slept, slept.append


def test_a_phone_is_asked_for_each_method_and_its_rows_are_taken(adb: Adb, artifact: tuple[Path, Manifest]) -> None:
    slept, sleep = naps()

    encode, classify = measure_android(*artifact, quick=False, sleep=sleep)

    starts = [words for words in adb.asked() if "start" in words]
    assert starts == [
        ["-s", "P1", "shell", "am", "start", "-W", "-n", "org.megatron.mobile/.ui.BenchmarkActivity",
         "--es", "method", method, "--ei", "iterations", "1024", "--ei", "threads", "2"]
        for method in ("encode", "classify")
    ]  # fmt: skip
    assert ["-s", "P1", "shell", "run-as", "org.megatron.mobile", "cat", "files/benchmark.json"] in adb.asked()
    assert len(slept) == 2, "the file was not whole twice"
    assert (encode.method, classify.method) == ("encode", "classify")
    assert {one.artifact for one in (encode, classify)} == {PROGRAM}
    assert encode.device == "android"
    assert encode.device_model == "Maker One"
    assert encode.times.p50 == 8.0
    assert encode.ratio_to_anchor is None


def test_what_an_earlier_run_left_is_removed_before_the_start(adb: Adb, artifact: tuple[Path, Manifest]) -> None:
    measure_android(*artifact, quick=False, sleep=lambda seconds: None)

    steps = ["rm" if "rm" in words else "start" for words in adb.asked() if "rm" in words or "start" in words]
    assert steps == ["rm", "start"] * 2


def test_the_thermal_state_is_read_before_and_after(adb: Adb, artifact: tuple[Path, Manifest]) -> None:
    encode, classify = measure_android(*artifact, quick=False, sleep=lambda seconds: None)

    assert encode.thermal is not None
    assert classify.thermal is not None
    assert (encode.thermal.before, encode.thermal.after) == ("0 (none)", "1 (light)")
    assert (classify.thermal.before, classify.thermal.after) == ("1 (light)", "2 (moderate)")


def test_a_phone_that_does_not_tell_its_thermal_state_is_measured_all_the_same(
    adb: Adb, artifact: tuple[Path, Manifest]
) -> None:
    adb.says("dumpsys thermalservice", ("Can't find service", 1))

    encode, _ = measure_android(*artifact, quick=False, sleep=lambda seconds: None)

    assert encode.thermal is not None
    assert (encode.thermal.before, encode.thermal.after) == (None, None)


def test_a_quick_run_asks_for_few_calls(adb: Adb, artifact: tuple[Path, Manifest]) -> None:
    measure_android(*artifact, quick=True, sleep=lambda seconds: None)

    assert all("64" in words for words in adb.asked() if "start" in words)


@pytest.mark.parametrize(
    ("part", "said", "error", "complaint"),
    [
        ("devices", "List of devices attached\n", InputError, r"no phone \(none is connected\); connect one"),
        ("devices", "List\nP1\tunauthorized\n", InputError, r"no phone \(P1 is unauthorized\)"),
        ("devices", "List\nP1\tdevice\nP2\tdevice\n", InputError, r"2 phones \(P1, P2\); name one in ANDROID_SERIAL"),
        ("pm path", ("", 1), InputError, r"org\.megatron\.mobile is not installed on P1; type `make apk`"),
        ("am start", "Error type 3\nError: Activity class does not exist.", WorkError, r"does not start on P1: Error"),
        ("cat files", json.dumps(answer("encode")), InputError, r"bundles student\.pte, which is not of .*--bundle"),
        ("cat files", '{"p50": 1}', WorkError, r"files/benchmark\.json of the app holds no row of results\.json"),
        ("cat files", "[]", WorkError, r"asked for encode on 2 threads, and its files/benchmark\.json holds nothing"),
        (
            "cat files",
            json.dumps([answer("encode", threads=4)]),
            WorkError,
            r"asked for encode on 2 threads, .* encode on 4 threads",
        ),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    adb: Adb,
    artifact: tuple[Path, Manifest],
    part: str,
    said: str | tuple[str, int],
    error: type[Exception],
    complaint: str,
) -> None:
    adb.says(part, said)

    with pytest.raises(error, match=complaint) as told:
        measure_android(*artifact, quick=False, sleep=lambda seconds: None)
    assert "\n" not in str(told.value)


def test_an_app_that_ended_is_not_waited_for(adb: Adb, artifact: tuple[Path, Manifest]) -> None:
    adb.says("cat files", ("no such file", 1))
    adb.says("pidof", ("", 1))
    slept, sleep = naps()

    with pytest.raises(WorkError, match=r"the app on P1 ended before it wrote files/benchmark\.json"):
        measure_android(*artifact, quick=False, sleep=sleep)
    assert not slept


def test_an_app_that_never_answers_is_given_up(
    adb: Adb, artifact: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    adb.says("cat files", ("no such file", 1))
    monkeypatch.setattr(android, "LONGEST_S", 3 * android.POLL_S)
    slept, sleep = naps()

    with pytest.raises(WorkError, match=r"wrote no files/benchmark\.json for encode in 6 s"):
        measure_android(*artifact, quick=False, sleep=sleep)
    assert len(slept) == 3


def test_of_several_phones_the_named_one_is_taken(
    adb: Adb, artifact: tuple[Path, Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    adb.says("devices", "List\nP1\tdevice\nP2\tdevice\n")
    monkeypatch.setenv("ANDROID_SERIAL", "P2")

    measure_android(*artifact, quick=False, sleep=lambda seconds: None)

    assert {words[1] for words in adb.asked() if words[0] == "-s"} == {"P2"}


def test_without_adb_the_command_says_what_is_missing(
    artifact: tuple[Path, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)

    code = run_command(COMMANDS, "benchmarks", ["run", "--artifact", str(artifact[0]), "--device", "android"])

    assert code == 2
    told = capsys.readouterr().err
    assert "--device android: no adb here; install Android's platform-tools, or set ANDROID_HOME" in told
    assert told.count("\n") == 1


def test_the_command_writes_the_phones_rows(adb: Adb, artifact: tuple[Path, Manifest], tmp_path: Path) -> None:
    out = tmp_path / "report"
    words = ["run", "--artifact", str(artifact[0]), "--device", "android", "--out", str(out)]

    assert run_command(COMMANDS, "benchmarks", words) == 0

    results = read_results(out / RESULTS)
    assert [(one.device, one.method, one.device_model) for one in results.rows] == [
        ("android", "encode", "Maker One"),
        ("android", "classify", "Maker One"),
    ]
