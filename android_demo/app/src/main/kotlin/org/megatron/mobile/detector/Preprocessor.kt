package org.megatron.mobile.detector

import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import kotlin.math.floor

/**
 * From a frame and a face box to the tensor that the model sees: `core/preprocess.py` in Kotlin, within 1/255.
 *
 * The square around the face is averaged over f × f pixels and scaled to S × S at half-pixel centres, line by line: each
 * pixel is read once, and nothing is allocated unless a face is larger than any before it. One thread at a time.
 */
class Preprocessor(private val spec: PreprocessSpec) {
    private val size = spec.size

    /** float32 [1, 3, S, S], RGB, 0..255: direct, in native order, overwritten by every [fill]. */
    val tensor: FloatBuffer = directFloats(3 * size * size)

    private val values = FloatArray(3 * size * size)
    private val scale = LinearScale(size)
    private val rgb = RgbLines()
    private val yuv = YuvLines()

    /** One line of the square in whole pixels, planar, padded to a multiple of f. */
    private var pixels = IntArray(0)

    /** One reduced line, planar: sums over f × f pixels. The square is reduced to less than 2 S + 1. */
    private val sums = IntArray(3 * (2 * size + 1))

    /** The two reduced lines around an output line, divided and scaled along, planar; and which ones they are. */
    private var upper = FloatArray(3 * size)
    private var lower = FloatArray(3 * size)
    private var upperLine = NONE
    private var lowerLine = NONE

    init {
        require(spec.fit == PreprocessSpec.Fit.SCALE) { "fit: pad is for training and comparison only" }
    }

    /**
     * Cut and scale the face at [box], in upright pixels of [frame]; it may reach outside. Returns [tensor].
     *
     * Throws IllegalArgumentException for a box that is not finite, or so large or far away that it is no face's.
     */
    fun fill(frame: Frame, box: Box): FloatBuffer {
        val longer = maxOf(box.w, box.h)
        require(longer >= 0 && spec.margin * longer <= LARGEST_PX && within(box.centerX) && within(box.centerY)) {
            "$box is no face box"
        }
        val lines = when (frame) {
            is RgbFrame -> rgb.of(frame)
            is YuvFrame -> yuv.of(frame)
        }
        val side = squareSide(box, spec.margin)
        val left = squareStart(box.centerX, side)
        val top = squareStart(box.centerY, side)
        val factor = maxOf(1, side / size)
        scale.from((side + factor - 1) / factor)
        if (pixels.size < 3 * scale.source * factor) pixels = IntArray(3 * scale.source * factor)
        val firstLine = if (lines.transposed) left else top
        val firstPixel = if (lines.transposed) top else left
        upperLine = NONE
        lowerLine = NONE
        for (out in 0 until size) {
            bring(lines, firstLine, firstPixel, side, factor, scale.before[out])
            if (lines.transposed) writeColumn(out, scale.share[out]) else writeRow(out, scale.share[out])
        }
        // As Buffer: see YuvLines.
        (tensor as Buffer).clear()
        tensor.put(values)
        (tensor as Buffer).clear()
        return tensor
    }

    /** Make [upper] the reduced line [line] and [lower] the one after it; lines are asked for in ascending order. */
    private fun bring(lines: Lines, firstLine: Int, firstPixel: Int, side: Int, factor: Int, line: Int) {
        if (upperLine == line) return
        if (lowerLine == line) {
            val spare = upper
            upper = lower
            lower = spare
        } else {
            reduce(lines, firstLine, firstPixel, side, factor, line, upper)
        }
        upperLine = line
        lowerLine = minOf(line + 1, scale.source - 1)
        if (lowerLine > line) reduce(lines, firstLine, firstPixel, side, factor, lowerLine, lower) else upper.copyInto(lower)
    }

    private fun reduce(
        lines: Lines, firstLine: Int, firstPixel: Int, side: Int, factor: Int, line: Int, into: FloatArray,
    ) {
        val width = scale.source
        val plane = width * factor
        sums.fill(0, 0, 3 * width)
        for (part in line * factor until (line + 1) * factor) {
            val source = firstLine + part
            val from = firstPixel.coerceAtLeast(0)
            val until = (firstPixel + side).coerceAtMost(lines.length)
            val inside = part < side && source in 0 until lines.count && from < until
            if (inside) {
                lines.read(source, from, until - from, pixels, from - firstPixel, plane)
                pad(0, from - firstPixel, plane)
                pad(until - firstPixel, plane, plane)
            } else {
                pad(0, plane, plane)
            }
            add(factor, width, plane)
        }
        scale.apply(sums, width, 1f / (factor * factor), into)
    }

    private fun pad(from: Int, until: Int, plane: Int) {
        for (channel in 0 until 3) pixels.fill(spec.padding, channel * plane + from, channel * plane + until)
    }

    private fun add(factor: Int, width: Int, plane: Int) {
        for (block in 0 until 3 * width) {
            // A plane is a whole number of blocks, so blocks run on from one plane into the next.
            var sum = 0
            val from = block * factor
            for (pixel in from until from + factor) sum += pixels[pixel]
            sums[block] += sum
        }
    }

    private fun writeRow(row: Int, share: Float) {
        for (channel in 0 until 3) {
            val to = (channel * size + row) * size
            val from = channel * size
            for (column in 0 until size) values[to + column] = between(from + column, share)
        }
    }

    private fun writeColumn(column: Int, share: Float) {
        for (channel in 0 until 3) {
            val to = channel * size * size + column
            val from = channel * size
            for (row in 0 until size) values[to + row * size] = between(from + row, share)
        }
    }

    private fun between(place: Int, share: Float): Float = upper[place] + share * (lower[place] - upper[place])

    private fun within(center: Double): Boolean = center in -FARTHEST_PX..FARTHEST_PX

    private companion object {
        const val NONE = -1
        const val LARGEST_PX = 16384.0
        const val FARTHEST_PX = 1e6
    }
}

/** Direct, in native order: what the runtimes take without a copy. */
internal fun directFloats(count: Int): FloatBuffer =
    ByteBuffer.allocateDirect(Float.SIZE_BYTES * count).order(ByteOrder.nativeOrder()).asFloatBuffer()

/** Bilinear scaling of a line to [size] samples: half-pixel centres, samples at the edge clamped. */
internal class LinearScale(private val size: Int) {
    /** Samples in the line that is scaled. */
    var source = 0
        private set

    /** For each output the sample before it, and how far it lies towards the next (0 where there is none). */
    val before = IntArray(size)
    val share = FloatArray(size)

    fun from(source: Int) {
        if (this.source == source) return
        this.source = source
        for (out in 0 until size) {
            val at = ((out + 0.5) * source / size - 0.5).coerceIn(0.0, source - 1.0)
            before[out] = floor(at).toInt()
            share[out] = (at - floor(at)).toFloat()
        }
    }

    /** Three planes of [source] whole numbers, times [weight], to three planes of [size] values. */
    fun apply(line: IntArray, plane: Int, weight: Float, into: FloatArray) {
        for (channel in 0 until 3) {
            val from = channel * plane
            val to = channel * size
            for (out in 0 until size) {
                val first = line[from + before[out]]
                val second = line[from + minOf(before[out] + 1, source - 1)]
                into[to + out] = weight * (first + share[out] * (second - first))
            }
        }
    }
}
