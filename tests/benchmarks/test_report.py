"""What the three files say, and how they get into place."""

import html
import re
from pathlib import Path

import pytest

from benchmarks.detail_sheets import remark_sheet
from benchmarks.report import HTML, MARKDOWN, report_text, write_report
from benchmarks.results import RESULTS, Results, read_results
from benchmarks.row import Rounds
from benchmarks.targets import read_targets
from benchmarks.wording import TIMES
from core.errors import WorkError
from tests.benchmarks.conftest import document, emulated, reference, row, rows, subject

TARGETS = read_targets()


def page(results: Results, template: str = "report.html.jinja") -> str:
    return report_text(template, results, TARGETS)


def words(results: Results) -> str:
    """The page's text, without its marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page(results).split("</style>")[1])).split())


def test_all_three_files_come_of_one_document(tmp_path: Path) -> None:
    results = document()

    write_report(tmp_path / "new" / "folder", results, TARGETS)

    folder = tmp_path / "new" / "folder"
    assert sorted(file.name for file in folder.iterdir()) == [HTML, MARKDOWN, RESULTS]
    assert read_results(folder / RESULTS) == results
    assert (folder / HTML).read_text() == page(results)
    assert (folder / MARKDOWN).read_text() == page(results, "report.md.jinja")


def test_a_report_that_cannot_be_drawn_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(tmp_path, document(name="old"), TARGETS)

    def broken(template: str, *_: object) -> str:
        raise WorkError("no page")

    monkeypatch.setattr("benchmarks.report.report_text", broken)
    with pytest.raises(WorkError, match="no page"):
        write_report(tmp_path, document(name="new"), TARGETS)

    assert read_results(tmp_path / RESULTS).name == "old"
    assert sorted(file.name for file in tmp_path.iterdir()) == [HTML, MARKDOWN, RESULTS]


def test_a_place_that_is_no_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")

    with pytest.raises(WorkError, match=r"could not be written .*; give another --out") as refused:
        write_report(tmp_path / "file", document(), TARGETS)

    assert "\n" not in str(refused.value)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_the_headline_is_the_ratio_to_the_reference() -> None:
    told = words(document())

    assert f"cheaper than the reference 64.0{TIMES} whole frame: 832 against 13.0 ms" in told
    assert f"its models alone 195{TIMES} 801 against 4.10 ms" in told


def test_without_the_reference_the_headline_says_what_is_missing() -> None:
    told = words(document(reference=None))

    # (76 + 24 / 10) ms over (1.6 + 0.12 / 10) ms.
    assert f"cheaper than the teacher 48.6{TIMES}" in told
    assert "without the teacher's face and depth models" in told
    assert "The reference pipeline was not run; add --reference" in told
    assert "Stages" not in told


def test_an_int8_encode_is_set_beside_its_trunk_where_that_was_measured() -> None:
    measured = document()
    int8 = tuple(
        one.model_copy(update={"precision": "int8"}) if one.artifact == "student_int8.pte" else one
        for one in measured.rows
    )
    encode = next(one for one in int8 if (one.artifact, one.method) == ("student_int8.pte", "encode"))
    assert encode.rounds is not None
    halved = Rounds(row_ms=tuple(ms / 2 for ms in encode.rounds.row_ms), anchor_ms=encode.rounds.anchor_ms)
    alone = encode.model_copy(update={"artifact": "trunk", "method": "forward", "rounds": halved})

    with_trunk = measured.model_copy(update={"rows": (*int8, alone)})

    assert "encode, x its trunk 2.000" in words(with_trunk)
    assert "x its trunk" not in words(measured.model_copy(update={"rows": int8}))


def test_rows_that_do_not_count_are_named_before_any_figure() -> None:
    doubtful = [row("student_int8.pte", "stream", 2.0, valid=False, noisy=True), emulated("student_int8.pte", "encode")]

    told = words(document(extra=doubtful, quick=True))

    assert "1 of 8 rows are invalid (a quick run): a valid row has at least 1,024 calls and 10 s." in told
    assert "1 of 8 rows are noisy" in told
    assert "1 rows were emulated" in told
    assert told.index("are invalid") < told.index("cheaper than the reference")


def test_a_remark_stands_once_with_all_rows_it_is_of() -> None:
    noted = [row(name, "encode", 1.0).model_copy(update={"note": "stands in"}) for name in ("a.pte", "b.pte")]
    silent = row("c.pte", "encode", 1.0).model_copy(
        update={"missing": {"cold_load_ms": "kept loaded", "memory": "kept loaded"}}
    )

    remarks = remark_sheet(document(extra=[*noted, silent]))

    assert remarks.rows == (
        ("stands in", "a.pte encode, b.pte encode"),
        ("no cold_load_ms and no memory: kept loaded", "c.pte encode"),
    )


def test_a_comparison_of_too_few_frames_is_said_to_be_invalid() -> None:
    short = reference().model_copy(update={"valid": False})

    assert "comparison with the reference is invalid" in words(document(reference=short))
    assert "comparison with the reference is invalid" not in words(document())


def test_an_untrained_program_has_times_and_no_accuracy() -> None:
    told = page(document(subject=subject(trained=False)))

    assert "The student was never trained" in told
    assert "AUC over milliseconds a frame" not in told


def test_a_run_of_one_row_makes_a_page() -> None:
    told = words(document(rows=rows()[:1], subject=None, reference=None))

    assert "anchor forward" in told
    assert "Nothing to show here." in told


def test_published_figures_stand_apart_with_source_and_date() -> None:
    sections = page(document()).split("<section>")

    (published,) = (section for section in sections if "What others published" in section)
    assert published.count("<tr>") == 1 + len(TARGETS.published)
    for one in TARGETS.published:
        assert html.escape(one.source) in published
    assert not any("EfficientNet-Lite0" in section for section in sections if section is not published)


def test_the_page_is_one_file_and_holds_no_script() -> None:
    text = page(document())

    assert "<script" not in text
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:", text)


def test_names_from_outside_are_text_and_no_marks() -> None:
    text = page(document(name="<script>alert(1)</script>"))

    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_markdown_tables_have_as_many_cells_as_their_heads() -> None:
    named = document(extra=[row("a|b.pte", "encode", 1.0)])

    lines = page(named, "report.md.jinja").splitlines()

    heads = [place for place, line in enumerate(lines) if re.fullmatch(r"\|( -+:? \|)+", line)]
    assert len(heads) >= 10
    for head in heads:
        block = [lines[head - 1], *(line for line in _rows_after(lines, head))]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in block} == {lines[head].count("|")}


def _rows_after(lines: list[str], head: int) -> list[str]:
    found = []
    for line in lines[head + 1 :]:
        if not line.startswith("|"):
            break
        found.append(line)
    assert found
    return found
