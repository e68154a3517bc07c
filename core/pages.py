"""HTML pages: one self-contained file each, drawn from a template, under its name once it is whole."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import InputError, WorkError
from core.runtimes import missing_extra


def refuse_unwritable(option: str, out: Path) -> None:
    """InputError where `out`, given with `option`, cannot be the name of a new file: to be asked before the work."""
    if not out.name or not out.parent.is_dir():
        raise InputError(f"{option} {out}: give the name of a file in a folder that exists, such as page.html")


def rendered(template: Path, *, extra: str, **contents: Any) -> str:
    """`template` filled with `contents`, every value of which it names must be there; in HTML, text is escaped.

    It may include this folder's style sheets, so that pages look alike.
    InputError where jinja2 is missing: `extra` is what installs it.
    """
    try:
        import jinja2
    except ImportError as error:
        raise missing_extra(extra, error) from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=not template.name.endswith(".md.jinja"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template.name).render(**contents)


def write_page(option: str, out: Path, text: str) -> None:
    """Write `text` under a temporary name, then rename. WorkError where that fails."""
    pending = out.with_name(f".{out.name}.partial")
    try:
        pending.write_text(text, encoding="utf-8")
        pending.replace(out)
    except OSError as error:
        raise WorkError(f"{out}: could not be written ({error.strerror}); give another {option}") from error
    finally:
        with suppress(OSError):
            pending.unlink(missing_ok=True)
