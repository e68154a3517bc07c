package org.megatron.mobile.detector

import java.nio.Buffer

/**
 * A frame read line by line in the order that is cheap: along the rows of its memory.
 *
 * Where the picture lies on its side, a line is an upright column ([transposed]). [read] gives whole pixel values, so
 * that what is averaged later is the picture that Python decodes, too.
 */
internal interface Lines {
    val transposed: Boolean

    /** How many lines there are, and pixels in each. */
    val count: Int
    val length: Int

    /** Pixels [first], [first] + 1, ... of [line], [pixels] of them, to [into]: red from [at], green [plane] later, then blue. */
    fun read(line: Int, first: Int, pixels: Int, into: IntArray, at: Int, plane: Int)
}

/** Packed RGB. */
internal class RgbLines : Lines {
    private lateinit var frame: RgbFrame
    override val transposed get() = false
    override val count get() = frame.height
    override val length get() = frame.width

    fun of(frame: RgbFrame): RgbLines {
        this.frame = frame
        return this
    }

    override fun read(line: Int, first: Int, pixels: Int, into: IntArray, at: Int, plane: Int) {
        val bytes = frame.bytes
        var from = line * frame.rowStride + 3 * first
        for (to in at until at + pixels) {
            into[to] = bytes[from].toInt() and 255
            into[to + plane] = bytes[from + 1].toInt() and 255
            into[to + 2 * plane] = bytes[from + 2].toInt() and 255
            from += 3
        }
    }
}

/** YUV_420_888 through the [YuvColour] of the frame; each chroma sample colours its two by two pixels. */
internal class YuvLines : Lines {
    private lateinit var frame: YuvFrame
    private lateinit var weights: YuvWeights
    private var luma = ByteArray(0)
    private var u = ByteArray(0)
    private var v = ByteArray(0)
    private var red = IntArray(0)
    private var green = IntArray(0)
    private var blue = IntArray(0)

    /** What the last three hold: two lines of luma share a line of chroma. */
    private var chromaRow = -1
    private var chromaFirst = -1
    private var chromaCount = -1

    override val transposed get() = frame.rotation % 180 != 0
    override val count get() = frame.sensorHeight
    override val length get() = frame.sensorWidth

    fun of(frame: YuvFrame): YuvLines {
        this.frame = frame
        weights = YuvWeights.of(frame.colour)
        chromaRow = -1
        return this
    }

    override fun read(line: Int, first: Int, pixels: Int, into: IntArray, at: Int, plane: Int) {
        // Clockwise by 90 degrees, upright (x, y) is sensor (y, height - 1 - x); by 270, (width - 1 - y, x).
        val bottomUp = frame.rotation == 90 || frame.rotation == 180
        val backwards = frame.rotation == 180 || frame.rotation == 270
        val row = frame.top + if (bottomUp) count - 1 - line else line
        val column = frame.left + if (backwards) length - first - pixels else first
        luma = fetched(frame.y, row, column, pixels, luma)
        readChroma(row / 2, column / 2, (column + pixels - 1) / 2 - column / 2 + 1)
        val step = frame.y.pixelStride
        var to = if (backwards) at + pixels - 1 else at
        val direction = if (backwards) -1 else 1
        for (pixel in 0 until pixels) {
            val bright = weights.bright(luma[pixel * step].toInt() and 255)
            val chroma = (column + pixel) / 2 - column / 2
            into[to] = clamped(bright + red[chroma])
            into[to + plane] = clamped(bright + green[chroma])
            into[to + 2 * plane] = clamped(bright + blue[chroma])
            to += direction
        }
    }

    private fun readChroma(row: Int, first: Int, samples: Int) {
        if (row == chromaRow && first == chromaFirst && samples == chromaCount) return
        u = fetched(frame.u, row, first, samples, u)
        v = fetched(frame.v, row, first, samples, v)
        if (red.size < samples) {
            red = IntArray(samples)
            green = IntArray(samples)
            blue = IntArray(samples)
        }
        for (sample in 0 until samples) {
            val cb = (u[sample * frame.u.pixelStride].toInt() and 255) - 128
            val cr = (v[sample * frame.v.pixelStride].toInt() and 255) - 128
            red[sample] = weights.redOfCr * cr
            green[sample] = weights.greenOfCb * cb + weights.greenOfCr * cr
            blue[sample] = weights.blueOfCb * cb
        }
        chromaRow = row
        chromaFirst = first
        chromaCount = samples
    }

    /** Bytes of [samples] samples of a plane; [into] where they fit, else a larger array. */
    private fun fetched(plane: Plane, row: Int, first: Int, samples: Int, into: ByteArray): ByteArray {
        // Not to the end of the row: the last row of a plane may end with its last sample.
        val bytes = (samples - 1) * plane.pixelStride + 1
        val line = if (into.size >= bytes) into else ByteArray(bytes)
        // As Buffer: ByteBuffer's own `position` returns a ByteBuffer from Java 9 on, which Android 8 does not have.
        (plane.buffer as Buffer).position(row * plane.rowStride + first * plane.pixelStride)
        plane.buffer.get(line, 0, bytes)
        return line
    }

    private fun clamped(value: Int): Int = (value shr YuvWeights.BITS).coerceIn(0, 255)
}
