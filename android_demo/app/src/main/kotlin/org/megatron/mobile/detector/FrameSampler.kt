package org.megatron.mobile.detector

import kotlin.math.floor

/**
 * Picks frames by timestamp, at most one in each slot of 1 / frameRate seconds.
 *
 * A frame at t ms lies in slot floor((t + 0.5) · frameRate / 1000). It is picked when it is later than the frame before
 * it and its slot is above that of the last pick: the first frame is picked, no burst follows a gap, and a frame out of
 * order is passed over.
 */
class FrameSampler(private val frameRate: Double) {
    private var lastMs = Double.NEGATIVE_INFINITY
    private var lastSlot = Double.NEGATIVE_INFINITY

    init {
        require(frameRate.isFinite() && frameRate > 0) { "frame rate $frameRate: give a number above 0" }
    }

    /** Whether to pick the frame at [timeMs] since the first. Call once for each decoded frame, in decode order. */
    fun wants(timeMs: Double): Boolean {
        val isLater = timeMs > lastMs
        lastMs = timeMs
        val slot = floor((timeMs + EARLY_MS) * frameRate / 1000)
        if (!isLater || slot <= lastSlot) return false
        lastSlot = slot
        return true
    }

    private companion object {
        /** A frame this much before its due time is still on time: containers round timestamps to a millisecond. */
        const val EARLY_MS = 0.5
    }
}
