package org.megatron.mobile.detector

import org.megatron.mobile.runtime.ModelRuntime
import java.nio.Buffer
import java.nio.FloatBuffer

/** What one window showed; [logits] is null where the window is undecided. */
data class Window(val startMs: Double, val endMs: Double, val coverage: Double, val logits: Logits?)

/** What a whole video showed; [fakeProbability] is null when undecided, [coverage] is valid ÷ sampled. */
data class Verdict(
    val label: Label,
    val fakeProbability: Double?,
    val coverage: Double,
    val frames: Int,
    val windows: List<Window>,
)

/**
 * Frames in, verdicts out: `core/detector.py` in Kotlin. Takes sampled frames with their face boxes one by one and
 * decides window by window. One thread at a time; nothing is allocated but the windows it closes.
 */
class Detector(private val runtime: ModelRuntime, manifest: Manifest) {
    private val decision = manifest.decision
    private val depthTrained = manifest.depthTrained
    private val embeddingSize = manifest.embeddingSize
    private val preprocessor = Preprocessor(manifest.preprocess)
    private val ring = RingBuffer(embeddingSize)
    private val rgb = FloatArray(embeddingSize)
    private val depth = FloatArray(embeddingSize)
    private val rgbWindow = directFloats(WINDOW * embeddingSize)
    private val depthWindow = directFloats(WINDOW * embeddingSize)
    private val faceValid = directFloats(WINDOW)
    private val noDepth: FloatBuffer = directFloats(WINDOW)
    private val logits = FloatArray(2)
    private val windows = ArrayList<Window>()
    private var sampled = 0
    private var valid = 0
    private var lastMs = Double.NEGATIVE_INFINITY

    /** What the stages cost so far. */
    val timings = Timings()

    /**
     * Add the next sampled frame; returns the window that it closes, if any.
     *
     * [box] is null where no face was found: the frame keeps its slot, invalid. A frame that is not later than the one
     * before it is passed over, as [FrameSampler] does.
     */
    fun offer(timeMs: Double, frame: Frame, box: Box?): Window? {
        if (!(timeMs > lastMs)) return null
        if (box == null) return addMissed(timeMs)
        encode(frame, box, rgb, depth)
        return add(timeMs, rgb, depth)
    }

    /** Both embeddings, [D] each, of one face; nothing is added. Returns the tensor that was encoded. */
    fun encode(frame: Frame, box: Box, rgb: FloatArray, depth: FloatArray): FloatBuffer {
        val start = System.nanoTime()
        val tensor = preprocessor.fill(frame, box)
        val ready = System.nanoTime()
        runtime.encode(tensor, rgb, depth)
        timings.preprocessNanos += ready - start
        timings.encodeNanos += System.nanoTime() - ready
        timings.encoded++
        return tensor
    }

    /** Add the next sampled frame by what [encode] made of it. */
    fun add(timeMs: Double, rgb: FloatArray, depth: FloatArray): Window? {
        if (!(timeMs > lastMs)) return null
        ring.add(timeMs, rgb, depth)
        valid++
        return advance(timeMs)
    }

    /** Add the next sampled frame, on which no face was found. */
    fun addMissed(timeMs: Double): Window? {
        if (!(timeMs > lastMs)) return null
        ring.addMissed(timeMs)
        return advance(timeMs)
    }

    /** What the windows that closed so far say. */
    fun soFar(): Verdict {
        val probability = decision.probability(windows.mapNotNull(Window::logits))
        return Verdict(
            label = decision.label(probability),
            fakeProbability = probability,
            coverage = if (sampled > 0) valid.toDouble() / sampled else 0.0,
            frames = sampled,
            windows = windows.toList(),
        )
    }

    /** Close the last window if samples are left that none has seen, and judge the video. */
    fun finish(): Verdict {
        if (sampled > 0 && !closesWindow(sampled, decision.hop)) close()
        return soFar()
    }

    private fun advance(timeMs: Double): Window? {
        lastMs = timeMs
        sampled++
        return if (closesWindow(sampled, decision.hop)) close() else null
    }

    private fun close(): Window {
        val coverage = ring.validSlots.toDouble() / ring.filled
        val window = Window(
            startMs = ring.startMs,
            endMs = ring.endMs,
            coverage = coverage,
            logits = if (coverage >= decision.minCoverage) classify() else null,
        )
        windows += window
        return window
    }

    private fun classify(): Logits {
        val start = System.nanoTime()
        ring.write(rgbWindow, depthWindow, faceValid)
        (noDepth as Buffer).clear()
        runtime.classify(rgbWindow, depthWindow, faceValid, if (depthTrained) faceValid else noDepth, logits)
        timings.classifyNanos += System.nanoTime() - start
        timings.classified++
        return Logits(real = logits[0].toDouble(), fake = logits[1].toDouble())
    }
}

/** Sums over calls, in nanoseconds, and how many calls there were. */
class Timings {
    var preprocessNanos = 0L
    var encodeNanos = 0L
    var encoded = 0
    var classifyNanos = 0L
    var classified = 0

    val preprocessMs: Double get() = perCall(preprocessNanos, encoded)
    val encodeMs: Double get() = perCall(encodeNanos, encoded)
    val classifyMs: Double get() = perCall(classifyNanos, classified)

    private fun perCall(nanos: Long, calls: Int): Double = if (calls == 0) 0.0 else nanos / 1e6 / calls
}
