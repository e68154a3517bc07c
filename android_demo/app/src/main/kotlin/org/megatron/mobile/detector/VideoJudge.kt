package org.megatron.mobile.detector

import org.megatron.mobile.runtime.ModelRuntime

/** A sampled frame and the face that was judged on it; [box] is null where there was none. */
data class Look(val timeMs: Double, val box: Box?)

/** The verdict on a video, and where it looked. */
data class VideoVerdict(val verdict: Verdict, val looks: List<Look>)

/**
 * Judges a whole video as `python -m core detect` does: every face of every sampled frame is encoded once, and the
 * verdict is on the largest track that each frame shows.
 *
 * Which track that is only the end of the video can tell. Until then [soFar] follows the largest so far. One thread at a
 * time; keeps two embeddings a face and frame (3 KB at D = 384).
 *
 * [onFace] is told of every face as it is encoded: its time, its box and the tensor (float32 [3, S, S], 0..255), which
 * is overwritten afterwards.
 */
class VideoJudge(
    private val runtime: ModelRuntime,
    private val manifest: Manifest,
    rules: FaceRules = FaceRules(),
    private val onFace: (Double, Box, java.nio.FloatBuffer) -> Unit = { _, _, _ -> },
) {
    private class Encoded(val rgb: FloatArray, val depth: FloatArray)

    private class Watched(val timeMs: Double, val faces: Map<Int, Box>, val encoded: Map<Int, Encoded>)

    private val keeper = FrameKeeper()
    private val tracks = FaceTracks<Frame>(rules, ::watch)
    private val largest = LargestFace()
    private val watched = ArrayList<Watched>()
    private val running = Detector(runtime, manifest)
    private val closed = ArrayList<Window>()
    private var lastMs = Double.NEGATIVE_INFINITY

    /** What the stages cost so far. */
    val timings: Timings get() = running.timings

    /** The running answer: on the largest face so far. */
    fun soFar(): Verdict = running.soFar()

    /**
     * Add the next sampled frame with the boxes that a detector found on it, which may be none; [frame] may be closed
     * afterwards. Returns the windows that closed since, by what is known so far.
     */
    fun offer(timeMs: Double, frame: Frame, boxes: List<Box>): List<Window> {
        if (!(timeMs > lastMs)) return emptyList()
        lastMs = timeMs
        closed.clear()
        tracks.offer(timeMs, keeper.keep(frame), boxes)
        return closed.toList()
    }

    /** The verdict on everything that was offered. */
    fun finish(): VideoVerdict {
        tracks.finish()
        val chosen = largest.chosen()
        val judge = Detector(runtime, manifest)
        val looks = watched.map { one ->
            val track = one.faces.keys.firstOrNull { it in chosen }
            val encoded = track?.let(one.encoded::getValue)
            if (encoded == null) judge.addMissed(one.timeMs) else judge.add(one.timeMs, encoded.rgb, encoded.depth)
            Look(one.timeMs, track?.let(one.faces::getValue))
        }
        return VideoVerdict(judge.finish(), looks)
    }

    private fun watch(sighted: Sighted<Frame>) {
        val encoded = sighted.faces.mapValues { (_, box) ->
            val one = Encoded(FloatArray(manifest.embeddingSize), FloatArray(manifest.embeddingSize))
            onFace(sighted.timeMs, box, running.encode(sighted.frame, box, one.rgb, one.depth))
            one
        }
        keeper.release(sighted.frame)
        largest.see(sighted.faces)
        watched += Watched(sighted.timeMs, sighted.faces, encoded)
        val chosen = largest.chosen()
        val now = encoded.entries.firstOrNull { it.key in chosen }?.value
        val window = if (now == null) running.addMissed(sighted.timeMs) else running.add(sighted.timeMs, now.rgb, now.depth)
        if (window != null) closed += window
    }
}
