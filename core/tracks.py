"""Every face of a video as a track of boxes: detected now and then, followed by flow between, gaps filled, smoothed.

FaceTracker     image by image: which faces are seen, by detection or sure tracking
tracked         frame by frame, a little late: short gaps interpolated, boxes smoothed
largest         of the tracks that a frame shows, the one that is largest over the video
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.faces import FaceDetector, FaceSettings
from core.motion import moved_box, scene_thumbnail
from core.preprocess import Box, Image
from core.video import Frame

Faces = dict[int, Box]
"""Boxes in pixels of a frame, by track."""


@dataclass(kw_only=True)
class _Track:
    """A face that is followed, or was until just now."""

    number: int
    box: Box
    """Where it is, or would be if it had gone on moving."""
    since_detection: int = 0
    missed: int = 0
    """Frames since it was last seen."""


class FaceTracker:
    """Follows the faces of a video, causally: one `update` for each sampled frame, in order.

    - A known face is detected again every `key_interval` frames, and at once when tracking is unsure. Where that fails
      it is not seen, and is looked for in each of the next `linger` frames where flow would have carried it.
    - With no face in view, nor missed for `gap_limit` frames at most, the whole frame is searched; the wait between
      searches that find nothing doubles up to `search_wait`. With one in view a newcomer `takeover` times as wide is
      looked for after `search_interval` frames, and while there is none after twice as many, up to `search_patience`;
      with `all_faces` one of any size, every `search_interval` frames.
    - A detection that overlaps a known face by `association_iou` is that face; any other begins a track.
    - A scene cut (thumbnails that differ by `cut` or more on average) ends every track and starts a search.
    """

    def __init__(self, settings: FaceSettings | None = None) -> None:
        self._settings = settings or FaceSettings()
        self._detector = FaceDetector()
        self._previous: Image | None = None
        self._thumbnail: npt.NDArray[np.float32] | None = None
        self._tracks: list[_Track] = []
        self._begun = 0
        self._since_search = 0
        self._wait = 0
        self._interval = self._settings.search_interval

    def update(self, image: Image) -> Faces:
        """The faces seen in `image` (uint8 [H, W, 3], RGB), not smoothed.

        `image` is kept until the next call and must not change. The same frames always give the same boxes.
        """
        thumbnail = scene_thumbnail(image)
        if self._previous is not None and self._thumbnail is not None:
            change = float(np.abs(thumbnail - self._thumbnail).mean())
            if change >= self._settings.cut or self._previous.shape != image.shape:
                self._tracks.clear()
                self._since_search = self._wait = 0
                self._interval = self._settings.search_interval
        self._thumbnail = thumbnail
        self._since_search += 1
        for track in self._tracks:
            self._follow(track, image)
        self._tracks = _distinct(self._tracks, self._settings)
        self._search(image)
        self._previous = image
        return {track.number: track.box for track in self._tracks if track.missed == 0}

    def _follow(self, track: _Track, image: Image) -> None:
        """Where `track` is in the next frame; `missed` counts on where it is not seen."""
        s = self._settings
        assert self._previous is not None
        moved, confidence = moved_box(self._previous, image, track.box)
        sure = confidence >= s.confidence
        expected = moved if sure else track.box
        track.since_detection += 1
        if sure and track.missed == 0 and track.since_detection < s.key_interval:
            track.box = expected
            return
        score = s.known_score if track.missed <= s.gap_limit else s.score
        found = self._detector.near(image, expected, s, score=score)
        if found is None:
            track.box, track.missed = expected, track.missed + 1
        else:
            track.box, track.missed, track.since_detection = found, 0, 0

    def _search(self, image: Image) -> None:
        """Look for faces that no track follows, where their turn has come."""
        s = self._settings
        in_view = [track for track in self._tracks if track.missed <= s.gap_limit]
        if self._since_search < (self._interval if in_view else self._wait):
            return
        self._since_search, known = 0, len(self._tracks)
        smallest_px = s.smallest_px
        if in_view and not s.all_faces:
            smallest_px = max(smallest_px, s.takeover * max(track.box.w for track in in_view))
        detections = self._detector.search(image, smallest_px=smallest_px, score=s.score, all_faces=s.all_faces)
        for detection in detections:
            if not in_view or s.all_faces or detection.box.w >= smallest_px:
                self._meet(detection.box)
        self._wait = 0 if in_view or detections else min(max(1, self._wait * 2), s.search_wait)
        # Whoever is followed alone will likely stay so.
        alone = in_view and not s.all_faces and len(self._tracks) == known
        longer = min(self._interval * 2, s.search_patience) if alone else 0
        self._interval = max(s.search_interval, longer)

    def _meet(self, box: Box) -> None:
        """A detected face: the track that it overlaps most, seen again, or a new one."""
        known = max(self._tracks, key=lambda track: track.box.iou(box), default=None)
        if known is None or known.box.iou(box) < self._settings.association_iou:
            self._tracks.append(_Track(number=self._begun, box=box))
            self._begun += 1
        elif known.missed:
            known.box, known.missed, known.since_detection = box, 0, 0


def tracked(frames: Iterable[Frame], settings: FaceSettings | None = None) -> Iterator[tuple[Frame, Faces]]:
    """Every frame with the faces on it, in order, each held back for `gap_limit` + 1 frames.

    A track missed for at most `gap_limit` frames between two that show it is interpolated linearly in time; in a
    longer gap it has no box. Boxes are smoothed exponentially, centre and size each with its own gain, anew after a
    gap.
    """
    settings = settings or FaceSettings()
    tracker = FaceTracker(settings)
    smoother = _Smoother(settings)
    waiting: deque[tuple[Frame, Faces]] = deque()
    for frame in frames:
        faces = tracker.update(frame.image)
        for track, box in faces.items():
            _fill_gap(waiting, frame, track, box)
        waiting.append((frame, faces))
        if len(waiting) > settings.gap_limit + 1:
            yield smoother.smoothed(*waiting.popleft())
    while waiting:
        yield smoother.smoothed(*waiting.popleft())


def by_size(faces: Sequence[Faces]) -> list[int]:
    """Every track, that with the largest area summed over all frames first."""
    areas: dict[int, float] = {}
    for seen in faces:
        for track, box in seen.items():
            areas[track] = areas.get(track, 0.0) + box.w * box.h
    return sorted(areas, key=lambda track: (-areas[track], track))


def largest(faces: Sequence[Faces]) -> list[int | None]:
    """For each frame the track to judge, None where it shows none.

    That is the largest track of the video, and of the others, by size, each that never shows beside one chosen
    already: it is the same face come back, or the next scene. Who does show beside the largest is somebody else, and
    is not looked at while that one is away.
    """
    beside: dict[int, set[int]] = {}
    for seen in faces:
        for track in seen:
            beside.setdefault(track, set()).update(seen.keys() - {track})
    chosen: set[int] = set()
    for track in by_size(faces):
        if not beside[track] & chosen:
            chosen.add(track)
    return [next(iter(seen.keys() & chosen), None) for seen in faces]


class _Smoother:
    """Exponential smoothing of every track that goes on from one frame to the next."""

    def __init__(self, settings: FaceSettings) -> None:
        self._settings = settings
        self._last: Faces = {}

    def smoothed(self, frame: Frame, faces: Mapping[int, Box]) -> tuple[Frame, Faces]:
        """`frame`, and its faces smoothed."""
        self._last = {track: self._one(self._last.get(track), box) for track, box in faces.items()}
        return frame, self._last

    def _one(self, last: Box | None, box: Box) -> Box:
        if last is None:
            return box
        (x, y), (old_x, old_y) = box.center, last.center
        x = old_x + self._settings.position_gain * (x - old_x)
        y = old_y + self._settings.position_gain * (y - old_y)
        w = last.w + self._settings.size_gain * (box.w - last.w)
        h = last.h + self._settings.size_gain * (box.h - last.h)
        return Box(x=x - w / 2, y=y - h / 2, w=w, h=h)


def _fill_gap(waiting: deque[tuple[Frame, Faces]], frame: Frame, track: int, box: Box) -> None:
    """Give `track` a box in every waiting frame since it was last seen, if it was."""
    places = [place for place, (_, faces) in enumerate(waiting) if track in faces]
    if not places:
        return
    before, last = waiting[places[-1]][0], waiting[places[-1]][1][track]
    for place in range(places[-1] + 1, len(waiting)):
        missing, faces = waiting[place]
        faces[track] = between(last, box, (missing.time_ms - before.time_ms) / (frame.time_ms - before.time_ms))


def between(first: Box, second: Box, share: float) -> Box:
    """The box `share` (0-1) of the way from `first` to `second`, side by side."""
    return Box(
        x=first.x + share * (second.x - first.x),
        y=first.y + share * (second.y - first.y),
        w=first.w + share * (second.w - first.w),
        h=first.h + share * (second.h - first.h),
    )


def _distinct(tracks: Sequence[_Track], settings: FaceSettings) -> list[_Track]:
    """The tracks still worth following: not missed for too long, and of two on one face the older one seen."""
    kept: list[_Track] = []
    for track in sorted(tracks, key=lambda track: (track.missed > 0, track.number)):
        if track.missed <= settings.linger and all(
            other.box.iou(track.box) < settings.association_iou for other in kept
        ):
            kept.append(track)
    return kept
