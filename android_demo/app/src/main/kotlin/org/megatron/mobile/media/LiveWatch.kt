package org.megatron.mobile.media

import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Detector
import org.megatron.mobile.detector.FaceTracks
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.FrameKeeper
import org.megatron.mobile.detector.FrameSampler
import org.megatron.mobile.detector.Label
import org.megatron.mobile.detector.LargestFace
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.Sighted
import org.megatron.mobile.detector.WINDOW
import org.megatron.mobile.detector.Window
import org.megatron.mobile.runtime.ModelRuntime

/** What the live screen shows. Boxes are in upright pixels of frames of [frameWidth] by [frameHeight]. */
data class LiveReading(
    val box: Box?,
    val frameWidth: Int,
    val frameHeight: Int,
    /** Frames judged so far, counted up to one window. */
    val collected: Int,
    /** Of the last window, null before the first and where it was undecided. */
    val fakeProbability: Double?,
    val label: Label,
    /** Share of the last window's frames that showed a face; null before the first. */
    val coverage: Double?,
    /** Mean over the last frames with a face, of preparing and encoding; null before the first. */
    val frameMs: Double?,
)

/**
 * Judges a camera's frames as they come. A face is told by the same rules as in a video: a frame is held back until it
 * is known whether its face was only missed, so the probability follows half a second behind the picture; the box is
 * that of the newest frame. One thread at a time.
 */
class LiveWatch(private val manifest: Manifest, private val runtime: ModelRuntime) {
    private val sampler = FrameSampler(manifest.decision.frameRate)
    private val detector = Detector(runtime, manifest)
    private val keeper = FrameKeeper()
    private val tracks = FaceTracks<Frame>(emit = ::judge)
    private val largest = LargestFace()
    private val rgb = FloatArray(manifest.embeddingSize)
    private val depth = FloatArray(manifest.embeddingSize)
    private var judged = 0
    private var last: Window? = null
    private var frameMs: Double? = null

    /** Whether the frame at [timeMs] is to be [offer]ed. Ask once for every frame, in order. */
    fun wants(timeMs: Double): Boolean = sampler.wants(timeMs)

    /** The next wanted frame with the boxes [found] on it; [frame] may be closed afterwards. */
    fun offer(timeMs: Double, frame: Frame, found: List<Box>): LiveReading {
        tracks.offer(timeMs, keeper.keep(frame), found)
        val probability = last?.logits?.let(manifest.decision::probability)
        return LiveReading(
            box = found.maxByOrNull { it.w * it.h },
            frameWidth = frame.width,
            frameHeight = frame.height,
            collected = judged.coerceAtMost(WINDOW),
            fakeProbability = probability,
            label = manifest.decision.label(probability),
            coverage = last?.coverage,
            frameMs = frameMs,
        )
    }

    private fun judge(sighted: Sighted<Frame>) {
        largest.see(sighted.faces)
        val chosen = largest.chosen()
        val box = sighted.faces.entries.firstOrNull { it.key in chosen }?.value
        val window = if (box == null) {
            detector.addMissed(sighted.timeMs)
        } else {
            val start = System.nanoTime()
            detector.encode(sighted.frame, box, rgb, depth)
            val tookMs = (System.nanoTime() - start) / 1e6
            frameMs = frameMs?.let { it + NEWEST * (tookMs - it) } ?: tookMs
            detector.add(sighted.timeMs, rgb, depth)
        }
        keeper.release(sighted.frame)
        judged++
        if (window != null) last = window
    }

    private companion object {
        const val NEWEST = 0.2
    }
}
