"""From a corpus of videos to a store of clips, in worker processes; interrupted, it goes on where it stopped.

Every video is decoded once, into crops (`ingest`). Where forgeries are asked for those are the bases, and clips
are made of them in a second pass (`forge`), since a swap needs two.
"""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Self, TypeVar

from core.corpus import Corpus, Entry
from core.depth import depth_folder
from core.depth_model import check_model, model_folder, weights_id
from core.errors import InputError, WorkError
from core.prepare.forge import ForgeJob, forge, forged_from
from core.prepare.ingest import IngestJob, Prepared, ingest
from core.prepare.pool import Failure, worked
from core.prepare.settings import Forged, PrepareSettings
from core.prepare.shelf import taken
from core.records import VideoRecord
from core.seeding import seeded_generator
from core.store import BASE_PREFIX, RECORD_PREFIX, ClipStore

J = TypeVar("J")

FAILURES = "failures.json"
SHELVES = ".shelves"
INGEST_VERSION = 5
"""Changes when `ingest`, or what it calls, gives other results for the same video and settings."""
FORGE_VERSION = 2
"""Changes when `forge` does."""
HASHERS = 4


@dataclass(kw_only=True)
class Summary:
    """What a preparation did, and what the store holds now."""

    identities_from: str
    notes: tuple[str, ...]
    """What the corpus left out, and why."""
    prepared: int = 0
    """Videos decoded."""
    reused: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    """Reason by path."""
    damaged: dict[str, str] = field(default_factory=dict)
    """Why a video that was prepared now ended before its own end, by path."""
    clips: Counter[str] = field(default_factory=Counter)
    """Clips in the store by method."""
    without_face: int = 0
    without_depth: int = 0
    without_donor: int = 0
    """Real videos that no other identity of their side and folder could be swapped into."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Time of all processes by stage."""

    def text(self, store: Path) -> str:
        """The lines a person reads after a preparation."""
        methods = ", ".join(f"{count} {method}" for method, count in sorted(self.clips.items()))
        lines = [
            f"{store}: {self.prepared} prepared, {self.reused} reused, {len(self.failures)} failed; "
            f"{sum(self.clips.values())} clips ({methods}), {self.without_face} without a face, "
            f"{self.without_depth} without depth; identities from {self.identities_from}"
        ]
        if self.without_donor:
            lines.append(f"{self.without_donor} real videos have no other identity beside them to swap with")
        lines += self.notes
        lines += [f"damaged: {path}: {reason}" for path, reason in self.damaged.items()]
        lines += [f"failed: {reason}" for reason in self.failures.values()]
        return "\n".join(lines)


Progress = Callable[[int, int], None]


def prepare(
    corpus: Corpus,
    store_folder: Path,
    settings: PrepareSettings,
    *,
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> Summary:
    """Prepare every video of `corpus` that the store does not hold yet, in `workers` processes (None: all cores).

    The store does not depend on `workers`; 0 works in this process, as a debugger likes it. A video that fails is
    listed in `failures.json` and does not stop the rest. `on_progress(done, total)` counts videos and forged clips.
    Raises InputError where the store was begun with other settings, for other videos, or is being written to; WorkError
    where nothing can be prepared or the disk is full.
    """
    count = os.cpu_count() or 1 if workers is None else workers
    depth_model = None if settings.depth in ("beside", "none") else model_folder(settings.depth)
    document = settings.model_dump(mode="json")
    if depth_model is not None:
        _refuse_unusable(depth_model, settings.depth_px, count)
        document["depth"] = f"weights {weights_id(depth_model)}"
    about = {"code": [INGEST_VERSION, FORGE_VERSION], "libraries": _libraries(depth_model is not None), **document}
    summary = Summary(identities_from=corpus.identities_from, notes=corpus.notes)
    with ClipStore.write(store_folder, about) as store:
        shelves = store_folder / SHELVES
        shutil.rmtree(shelves, ignore_errors=True)
        work = _Preparation(corpus, store, settings, depth_model, shelves, count, summary, on_progress)
        try:
            work.run(about)
        finally:
            shutil.rmtree(shelves, ignore_errors=True)
    return summary


def fingerprint(keys: Iterable[str]) -> str:
    """Hex digest of what a store holds: its clips' keys cover content, labels, split and settings."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What the plan needs of a base: a large corpus has too many samples to hold them all."""

    key: str
    path: str
    identity: str
    surroundings: tuple[str, str]
    """Side of the split and folder: swaps stay within both."""
    may_be_forged: bool

    @classmethod
    def of(cls, record: VideoRecord) -> Self:
        return cls(
            key=record.key,
            path=record.path,
            identity=record.identity,
            surroundings=(record.split, PurePosixPath(record.path).parent.as_posix()),
            may_be_forged=record.label == "real" and any(sample.kept for sample in record.samples),
        )


@dataclass(frozen=True, kw_only=True)
class _Hashed:
    """A video of the corpus, by its bytes."""

    entry: Entry
    key: str
    content_sha256: str
    """Nothing where it cannot be read."""


class _Preparation:
    """The two passes over one store."""

    def __init__(
        self,
        corpus: Corpus,
        store: ClipStore,
        settings: PrepareSettings,
        depth_model: Path | None,
        shelves: Path,
        workers: int,
        summary: Summary,
        on_progress: Progress | None,
    ) -> None:
        self._corpus, self._store, self._settings = corpus, store, settings
        self._depth_model, self._shelves, self._workers = depth_model, shelves, workers
        self._summary, self._on_progress = summary, on_progress
        self._first_pass = BASE_PREFIX if settings.forgeries else RECORD_PREFIX
        reals = sum(entry.label == "real" for entry in corpus.entries)
        self._total = len(corpus.entries)
        if settings.forgeries:
            self._total += len(corpus.entries) + reals * len(settings.forgeries)
        self._done = 0

    def run(self, about: Mapping[str, object]) -> None:
        """Bring the store to what the corpus and the settings ask for."""
        self._refuse_foreign()
        self._ingest(about)
        if self._settings.forgeries:
            self._forge()
        failures = self._store.folder / FAILURES
        _write_failures(failures, self._summary.failures)
        keys = self._store.keys()
        if not keys:
            raise WorkError(
                f"{self._corpus.folder}: none of its {len(self._corpus.entries)} videos could be prepared; "
                f"see {failures}"
            )
        for record in self._store.each_record():
            self._summary.clips[record.method] += 1
            self._summary.without_face += all(sample.face is None for sample in record.samples)
            self._summary.without_depth += not any(sample.depth_valid for sample in record.samples)
        self._store.complete(fingerprint(keys))

    def _refuse_foreign(self) -> None:
        paths = {entry.path for entry in self._corpus.entries}
        for record in self._store.each_record(self._first_pass):
            if record.path not in paths:
                raise InputError(
                    f"{self._store.folder}: holds {record.path}, which is not in {self._corpus.folder}; "
                    "give another --store"
                )

    def _ingest(self, about: Mapping[str, object]) -> None:
        """Decode what is not there yet."""
        entries = self._corpus.entries
        with ThreadPoolExecutor(HASHERS) as hashers:
            hashed = partial(_hashed, self._corpus.folder, json.dumps(about, sort_keys=True), self._settings.depth)
            found = {video.key: video for video in hashers.map(hashed, entries)}
        self._store.keep_only(found, self._first_pass)
        self._store.drop_orphans()
        there = set(self._store.keys(self._first_pass))
        # With forgeries the depth of a clip is estimated from what the clip shows in the end.
        model = None if self._settings.forgeries else self._depth_model
        jobs = {
            key: IngestJob(
                key=key,
                content_sha256=video.content_sha256,
                folder=self._corpus.folder,
                entry=video.entry,
                settings=self._settings,
                depth_model=model,
                shelf=self._shelves / key,
            )
            for key, video in found.items()
            if key not in there
        }
        self._summary.reused = len(there)
        self._done = len(there)
        self._summary.prepared = self._carry_out(
            ingest,
            jobs,
            self._first_pass,
            name=lambda job: str(job.folder / job.entry.path),
            listed=lambda job: job.entry.path,
        )

    def _forge(self) -> None:
        """Make the clips of every base."""
        planned = dict(self._plan())
        self._store.keep_only(planned)
        self._store.drop_orphans()
        there = set(self._store.keys())
        self._done = self._total - len(planned) + len(there)
        jobs = {key: job for key, job in planned.items() if key not in there}
        # LMDB forbids to open a store twice in one process.
        work = forge if self._workers else partial(forged_from, self._store)
        self._carry_out(
            work,
            jobs,
            RECORD_PREFIX,
            name=lambda job: job.name,
            listed=lambda job: f"{job.name} ({job.method or 'original'})",
        )

    def _plan(self) -> Iterator[tuple[str, ForgeJob]]:
        """The clips to be made of the bases, and for each swap the donor: drawn, whatever the order of the work."""
        bases = sorted(map(_Base.of, self._store.each_record(BASE_PREFIX)), key=lambda base: base.path)
        groups: dict[tuple[str, str], list[_Base]] = {}
        for base in bases:
            if base.may_be_forged:
                groups.setdefault(base.surroundings, []).append(base)
        for base in bases:
            yield self._job(base, None, None)
            if not base.may_be_forged:
                continue
            for method in self._settings.forgeries:
                donor: _Base | None = None
                if method == "swap":
                    others = [other for other in groups[base.surroundings] if other.identity != base.identity]
                    if not others:
                        self._summary.without_donor += 1
                        continue
                    generator = seeded_generator("donor", self._settings.seed, base.key)
                    donor = others[int(generator.integers(len(others)))]
                yield self._job(base, method, donor)

    def _job(self, base: _Base, method: Forged | None, donor: _Base | None) -> tuple[str, ForgeJob]:
        donor_key = donor.key if donor else None
        key = hashlib.sha256(json.dumps([base.key, method, donor_key]).encode()).hexdigest()[:32]
        return key, ForgeJob(
            key=key,
            base=base.key,
            method=method,
            donor=donor_key,
            source=donor.identity if donor else "",
            name=base.path,
            store=self._store.folder,
            settings=self._settings,
            depth_model=self._depth_model,
            shelf=self._shelves / key,
        )

    def _carry_out(
        self,
        work: Callable[[J], Prepared],
        jobs: Mapping[str, J],
        prefix: bytes,
        *,
        name: Callable[[J], str],
        listed: Callable[[J], str],
    ) -> int:
        """Store what `work` makes of each job; how many that were. Failures are kept by what `listed` says of a job."""
        stored = 0
        # Closed whatever happens: the workers must be gone before the store is another's to write.
        with closing(worked(work, jobs, workers=self._workers, name=name)) as results:
            for key, result in results:
                if isinstance(result, Failure):
                    self._summary.failures[listed(jobs[key])] = result.reason
                else:
                    self._keep(result, prefix)
                    stored += 1
                self._done += 1
                if self._on_progress:
                    self._on_progress(self._done, self._total)
        return stored

    def _keep(self, result: Prepared, prefix: bytes) -> None:
        data = taken(result.shelf, [place for _, _, place in result.pictures])
        pictures = ((kind, index, png) for (kind, index, _), png in zip(result.pictures, data, strict=True))
        self._store.add(result.record, pictures, prefix)
        self._summary.seconds.update(result.seconds)
        if result.damage is not None:
            self._summary.damaged[result.record.path] = result.damage


def _libraries(with_depth: bool) -> dict[str, str]:
    """Versions of what gives other pixels, boxes or depth from one version to the next."""
    names = ["av", "dlib-bin", "numpy", "opencv-python-headless", *(("torch", "transformers") if with_depth else ())]
    return {name: version(name) for name in names}


def _refuse_unusable(depth_model: Path, input_px: int, workers: int) -> None:
    """InputError where the model cannot be loaded: in a worker, since this process needs none of its memory."""
    load = partial(check_model, input_px=input_px)
    for _, result in worked(load, {"model": depth_model}, workers=min(1, workers), name=str):
        if isinstance(result, Failure):
            raise InputError(result.reason)


def _hashed(folder: Path, about: str, depth: str, entry: Entry) -> _Hashed:
    """The key covers the settings and code of `about`, the entry, the video, and the depth beside it if it is read."""
    digest = hashlib.sha256(about.encode())
    digest.update(repr(entry).encode())
    video = folder / entry.path
    depths = sorted(depth_folder(video).glob("*.png")) if depth == "beside" else []
    content_sha256 = ""
    for file in (video, *depths):
        digest.update(file.name.encode())
        try:
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256")
        except OSError as error:
            # It fails as a video of its own when its turn comes.
            digest.update(f"unreadable: {error.errno}".encode())
            continue
        digest.update(content.digest())
        if file is video:
            content_sha256 = content.hexdigest()
    return _Hashed(entry=entry, key=digest.hexdigest()[:32], content_sha256=content_sha256)


def _write_failures(file: Path, failures: dict[str, str]) -> None:
    if not failures:
        file.unlink(missing_ok=True)
        return
    temporary = file.with_suffix(".tmp")
    try:
        temporary.write_text(json.dumps(failures, indent=2, sort_keys=True) + "\n")
        temporary.replace(file)
    except OSError as error:
        raise WorkError(f"{file}: could not be written ({error.strerror}); make room and try again") from error
