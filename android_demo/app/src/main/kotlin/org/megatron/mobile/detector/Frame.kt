package org.megatron.mobile.detector

import java.nio.ByteBuffer

/**
 * A picture as the decoder or the camera gave it, seen upright: [width] and [height] are those after rotation, and
 * boxes are in its upright pixels. Pixels are read where they lie; nothing is copied before the face is cut.
 */
sealed interface Frame {
    val width: Int
    val height: Int
}

/** Packed RGB, 3 bytes a pixel, upright; row y begins at byte y · [rowStride] of [bytes]. */
class RgbFrame(
    override val width: Int,
    override val height: Int,
    val bytes: ByteArray,
    val rowStride: Int = 3 * width,
) : Frame {
    init {
        require(width > 0 && height > 0 && rowStride >= 3 * width) { "RGB of $width × $height, rows of $rowStride bytes" }
        require(bytes.size >= rowStride * (height - 1) + 3 * width) { "${bytes.size} bytes for $width × $height RGB" }
    }
}

/** One plane of a YUV_420_888 image, as `android.media.Image.Plane` describes it. */
class Plane(val buffer: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/**
 * YUV_420_888: full-size luma, chroma halved both ways (odd sides rounded up), 8 bits each.
 *
 * [left], [top], [sensorWidth] and [sensorHeight] are the crop rectangle in pixels of the planes; the picture is
 * upright after turning it clockwise by [rotation] degrees (0, 90, 180 or 270). Positions of the buffers are moved.
 */
class YuvFrame(
    val y: Plane,
    val u: Plane,
    val v: Plane,
    val sensorWidth: Int,
    val sensorHeight: Int,
    val colour: YuvColour,
    val rotation: Int = 0,
    val left: Int = 0,
    val top: Int = 0,
) : Frame {
    init {
        require(rotation in setOf(0, 90, 180, 270)) { "rotation $rotation: give 0, 90, 180 or 270" }
        require(sensorWidth > 0 && sensorHeight > 0 && left >= 0 && top >= 0) { "crop $sensorWidth × $sensorHeight" }
    }

    override val width: Int get() = if (rotation % 180 == 0) sensorWidth else sensorHeight
    override val height: Int get() = if (rotation % 180 == 0) sensorHeight else sensorWidth
}

/** How luma and chroma become RGB. A stream that says nothing is BT.601 in limited range, as in Python. */
enum class YuvColour(val standard: Standard, val range: Range) {
    BT601_LIMITED(Standard.BT601, Range.LIMITED),
    BT601_FULL(Standard.BT601, Range.FULL),
    BT709_LIMITED(Standard.BT709, Range.LIMITED),
    BT709_FULL(Standard.BT709, Range.FULL);

    /** Weights of red and blue in luma. */
    enum class Standard(val red: Double, val blue: Double) { BT601(0.299, 0.114), BT709(0.2126, 0.0722) }

    /** Limited: luma 16..235, chroma 16..240. Full: 0..255 both. */
    enum class Range { LIMITED, FULL }

    companion object {
        fun of(standard: Standard, range: Range): YuvColour = entries.first { it.standard == standard && it.range == range }
    }
}
