package org.megatron.mobile.media

import org.megatron.mobile.detector.FrameSampler
import org.megatron.mobile.detector.Label
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.VideoJudge
import org.megatron.mobile.runtime.ModelRuntime

/** How far a check is. */
data class CheckProgress(
    val timeMs: Double = 0.0,
    val durationMs: Double? = null,
    val frames: Int = 0,
    val facesSeen: Int = 0,
    /** The newest face, as the model sees it. */
    val face: Picture? = null,
) {
    /** 0..1, null where the video does not tell its length. */
    val share: Double? get() = durationMs?.takeIf { it > 0 }?.let { (timeMs / it).coerceIn(0.0, 1.0) }
}

/** A window of a checked video; [fakeProbability] is null where it is undecided. */
data class CheckedWindow(val startMs: Double, val endMs: Double, val coverage: Double, val fakeProbability: Double?)

/** Mean milliseconds for each sampled frame. */
data class FrameCost(val decodeMs: Double, val faceMs: Double, val lookMs: Double)

/** What a check found; the document that outlives the process. */
data class CheckReport(
    val label: Label,
    val fakeProbability: Double?,
    val threshold: Double,
    val coverage: Double,
    val frames: Int,
    val durationMs: Double,
    val endsEarly: Boolean,
    val windows: List<CheckedWindow>,
    val cost: FrameCost,
)

/** A report with its pictures: a frame of the video and some of the faces. */
class Checked(val report: CheckReport, val postcard: Picture?, val faces: List<PicturedFace>)

/** Checks videos one after another on the thread that calls: frames by timestamp, faces, the student, the verdict. */
class VideoCheck(private val manifest: Manifest, private val runtime: ModelRuntime, private val finder: FaceFinder) {
    private val postcards = Postcards()

    /**
     * Read [video] to its end and judge it. Null when [isCancelled] said so; [onProgress] is told about every sampled
     * frame. Throws [VideoRefused] where not one frame can be had.
     */
    fun run(video: VideoFrames, isCancelled: () -> Boolean, onProgress: (CheckProgress) -> Unit): Checked? {
        val size = manifest.preprocess.size
        val album = FaceAlbum(MOST_FACES)
        var newest: Picture? = null
        var faces = 0
        val judge = VideoJudge(runtime, manifest) { timeMs, _, tensor ->
            val picture by lazy { pictureOf(tensor, size) }
            if (faces++ % FACES_A_PICTURE == 0) newest = picture
            album.offer(timeMs) { picture }
        }
        val sampler = FrameSampler(manifest.decision.frameRate)
        val watch = Stopwatch()
        var postcard: Picture? = null
        var frames = 0
        var lastMs = 0.0
        while (true) {
            if (isCancelled()) return null
            val next = watch.decode { video.next(sampler::wants) } ?: break
            val found = watch.face { finder.find(next.frame) }
            if (postcard == null) postcard = postcards.of(next.frame)
            watch.look { judge.offer(next.timeMs, next.frame, found) }
            frames++
            lastMs = next.timeMs
            onProgress(CheckProgress(lastMs, video.durationMs, frames, faces, newest))
        }
        if (frames == 0) throw VideoRefused(CheckFailure.DAMAGED)
        val verdict = watch.look { judge.finish() }.verdict
        return Checked(
            CheckReport(
                label = verdict.label,
                fakeProbability = verdict.fakeProbability,
                threshold = manifest.decision.threshold,
                coverage = verdict.coverage,
                frames = verdict.frames,
                durationMs = maxOf(lastMs, if (video.endsEarly) lastMs else video.durationMs ?: lastMs),
                endsEarly = video.endsEarly,
                windows = verdict.windows.map { window ->
                    CheckedWindow(
                        window.startMs, window.endMs, window.coverage, window.logits?.let(manifest.decision::probability),
                    )
                },
                cost = watch.perFrame(frames),
            ),
            postcard,
            album.faces(),
        )
    }

    private class Stopwatch {
        private var decodeNanos = 0L
        private var faceNanos = 0L
        private var lookNanos = 0L

        fun <T> decode(work: () -> T): T = timed(work) { decodeNanos += it }

        fun <T> face(work: () -> T): T = timed(work) { faceNanos += it }

        fun <T> look(work: () -> T): T = timed(work) { lookNanos += it }

        fun perFrame(frames: Int) =
            FrameCost(decodeNanos / 1e6 / frames, faceNanos / 1e6 / frames, lookNanos / 1e6 / frames)

        private inline fun <T> timed(work: () -> T, took: (Long) -> Unit): T {
            val start = System.nanoTime()
            return work().also { took(System.nanoTime() - start) }
        }
    }

    private companion object {
        const val MOST_FACES = 12

        /** Every so many faces the one shown while the check runs is replaced: once a second or so. */
        const val FACES_A_PICTURE = 8
    }
}
