package org.megatron.mobile.detector

/** The rules of `core/faces.py` for what a missed face becomes. Counts are in sampled frames. */
data class FaceRules(
    /** Misses between two sightings that are interpolated. */
    val gapLimit: Int = 4,
    /** How long a missed face is still the same one when it comes back where it was. */
    val linger: Int = 10,
    /** Least overlap of a face with itself, later. */
    val associationIou: Double = 0.3,
    /** Weight of the newest centre and of the newest size. */
    val positionGain: Double = 0.7,
    val sizeGain: Double = 0.4,
)

/** A sampled frame and every face on it, by track. */
class Sighted<F>(val timeMs: Double, val frame: F, val faces: Map<Int, Box>)

/**
 * Every face of a video as a track of boxes: `tracked` of `core/tracks.py`, with detections on every sampled frame.
 *
 * A track missed for at most `gapLimit` frames between two that show it is interpolated linearly in time; in a longer
 * gap it has no box, and its slots are invalid. Boxes are smoothed exponentially, centre and size each with its own
 * gain, anew after a gap. Frames come out in order, each held back for `gapLimit` + 1 frames.
 */
class FaceTracks<F>(private val rules: FaceRules = FaceRules(), private val emit: (Sighted<F>) -> Unit) {
    private class Track(val number: Int, var box: Box, var missed: Int = 0)

    private class Waiting<F>(val timeMs: Double, val frame: F, val faces: MutableMap<Int, Box>)

    private val tracks = ArrayList<Track>()
    private val waiting = ArrayDeque<Waiting<F>>()
    private var begun = 0
    private var last: Map<Int, Box> = emptyMap()

    /** The next sampled frame, later than the last, with the boxes that a detector found on it. */
    fun offer(timeMs: Double, frame: F, detections: List<Box>) {
        val seen = associate(detections)
        for ((track, box) in seen) fillGap(timeMs, track, box)
        waiting.addLast(Waiting(timeMs, frame, seen))
        if (waiting.size > rules.gapLimit + 1) release()
    }

    /** The video has ended: what is held back comes out. */
    fun finish() {
        while (waiting.isNotEmpty()) release()
    }

    /** The widest detection chooses its track first; what overlaps none begins one. */
    private fun associate(detections: List<Box>): MutableMap<Int, Box> {
        for (track in tracks) track.missed++
        val seen = LinkedHashMap<Int, Box>()
        for (box in detections.sortedByDescending(Box::w)) {
            val known = tracks.filter { it.number !in seen }.maxByOrNull { it.box.iou(box) }
            val track = if (known != null && known.box.iou(box) >= rules.associationIou) known
            else Track(begun++, box).also(tracks::add)
            track.box = box
            track.missed = 0
            seen[track.number] = box
        }
        tracks.removeAll { it.missed > rules.linger }
        return seen
    }

    private fun fillGap(timeMs: Double, track: Int, box: Box) {
        val place = waiting.indexOfLast { track in it.faces }
        if (place < 0) return
        val before = waiting[place]
        val from = before.faces.getValue(track)
        for (missing in waiting.subList(place + 1, waiting.size)) {
            missing.faces[track] = from.towards(box, (missing.timeMs - before.timeMs) / (timeMs - before.timeMs))
        }
    }

    private fun release() {
        val oldest = waiting.removeFirst()
        last = oldest.faces.mapValues { (track, box) -> smoothed(last[track], box) }
        emit(Sighted(oldest.timeMs, oldest.frame, last))
    }

    private fun smoothed(last: Box?, box: Box): Box {
        if (last == null) return box
        val x = last.centerX + rules.positionGain * (box.centerX - last.centerX)
        val y = last.centerY + rules.positionGain * (box.centerY - last.centerY)
        val w = last.w + rules.sizeGain * (box.w - last.w)
        val h = last.h + rules.sizeGain * (box.h - last.h)
        return Box(x - w / 2, y - h / 2, w, h)
    }
}

/**
 * Which of the tracks that a frame shows is judged: `largest` of `core/tracks.py`.
 *
 * The largest track of all frames so far, and of the others, by size, each that never shows beside one chosen already:
 * it is the same face come back, or the next scene. Who does show beside the largest is somebody else.
 */
class LargestFace {
    private val areas = HashMap<Int, Double>()
    private val beside = HashMap<Int, MutableSet<Int>>()

    /** Count in the faces of one more frame. */
    fun see(faces: Map<Int, Box>) {
        for ((track, box) in faces) {
            areas[track] = (areas[track] ?: 0.0) + box.w * box.h
            beside.getOrPut(track, ::HashSet) += faces.keys - track
        }
    }

    /** The tracks to judge; at most one of them shows in any frame. */
    fun chosen(): Set<Int> {
        val chosen = HashSet<Int>()
        for (track in areas.keys.sortedWith(compareBy({ -areas.getValue(it) }, { it }))) {
            if (beside.getValue(track).none { it in chosen }) chosen += track
        }
        return chosen
    }
}
