package org.megatron.mobile.detector

import java.nio.Buffer
import java.nio.FloatBuffer

/**
 * The last 20 sampled frames by their embeddings: each frame is encoded once, ever. Nothing is allocated after
 * construction; D is [embeddingSize].
 */
class RingBuffer(private val embeddingSize: Int) {
    private val rgb = Array(WINDOW) { FloatArray(embeddingSize) }
    private val depth = Array(WINDOW) { FloatArray(embeddingSize) }
    private val valid = BooleanArray(WINDOW)
    private val times = DoubleArray(WINDOW)
    private var next = 0
    private val nothing = FloatArray(embeddingSize)

    /** Slots filled so far, at most 20. */
    var filled = 0
        private set

    /** Filled slots that show a face. */
    val validSlots: Int
        get() {
            var count = 0
            for (age in 0 until filled) if (valid[slot(age)]) count++
            return count
        }

    /** Times of the oldest and the newest filled slot, ms. */
    val startMs: Double get() = times[slot(0)]
    val endMs: Double get() = times[slot(filled - 1)]

    /** The next frame shows no face: its slot stays, invalid. */
    fun addMissed(timeMs: Double) = advance(timeMs, isValid = false)

    /** The next frame shows a face with these embeddings, [D] each; they are copied. */
    fun add(timeMs: Double, rgb: FloatArray, depth: FloatArray) {
        rgb.copyInto(this.rgb[next], 0, 0, embeddingSize)
        depth.copyInto(this.depth[next], 0, 0, embeddingSize)
        advance(timeMs, isValid = true)
    }

    /** The inputs of `classify`: oldest first, missing slots first and invalid, zeros in what is invalid. */
    fun write(rgb: FloatBuffer, depth: FloatBuffer, faceValid: FloatBuffer) {
        // As Buffer: see YuvLines.
        (rgb as Buffer).clear()
        (depth as Buffer).clear()
        (faceValid as Buffer).clear()
        for (place in 0 until WINDOW) {
            val age = place - (WINDOW - filled)
            val shown = age >= 0 && valid[slot(age)]
            rgb.put(if (shown) this.rgb[slot(age)] else nothing)
            depth.put(if (shown) this.depth[slot(age)] else nothing)
            faceValid.put(if (shown) 1f else 0f)
        }
        (rgb as Buffer).clear()
        (depth as Buffer).clear()
        (faceValid as Buffer).clear()
    }

    /** The place in the arrays of the [age]-th slot, 0 the oldest. */
    private fun slot(age: Int): Int = (next - filled + age + WINDOW) % WINDOW

    private fun advance(timeMs: Double, isValid: Boolean) {
        times[next] = timeMs
        valid[next] = isValid
        next = (next + 1) % WINDOW
        if (filled < WINDOW) filled++
    }
}
