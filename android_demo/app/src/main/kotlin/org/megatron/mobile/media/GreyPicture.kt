package org.megatron.mobile.media

import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.Plane
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.detector.YuvFrame

/**
 * A frame in grey, upright and small enough to look for faces in: what `android.media.FaceDetector` is given.
 *
 * Averaged over [factor] × [factor] pixels, the largest whole number that keeps the longer side at [LEAST_LONGER_PX] or
 * more: a face of 73 px in a video of 640 px would be lost in anything smaller. The width is even, as that class demands.
 */
class GreyPicture {
    var width = 0
        private set
    var height = 0
        private set

    /** Pixels of the frame that one pixel here stands for, along each side. */
    var factor = 1
        private set

    /** Opaque ARGB, row by row; the first [width] · [height] count. */
    var pixels = IntArray(0)
        private set

    /** Take [frame]; false where it is too small to show a face. */
    fun fill(frame: Frame): Boolean {
        factor = maxOf(1, maxOf(frame.width, frame.height) / LEAST_LONGER_PX)
        width = frame.width / factor / 2 * 2
        height = frame.height / factor
        if (width < LEAST_PX || height < LEAST_PX) return false
        if (pixels.size < width * height) pixels = IntArray(width * height)
        when (frame) {
            is YuvFrame -> fromLuma(frame)
            is RgbFrame -> average { x, y ->
                val at = y * frame.rowStride + 3 * x
                // Rec. 601 luma in 1/256.
                (77 * (frame.bytes[at].toInt() and 0xff) + 150 * (frame.bytes[at + 1].toInt() and 0xff) +
                    29 * (frame.bytes[at + 2].toInt() and 0xff)) shr 8
            }
        }
        return true
    }

    private fun fromLuma(frame: YuvFrame) {
        val plane = frame.y
        val right = frame.left + frame.sensorWidth - 1
        val bottom = frame.top + frame.sensorHeight - 1
        when (frame.rotation) {
            0 -> average { x, y -> plane.at(frame.left + x, frame.top + y) }
            90 -> average { x, y -> plane.at(frame.left + y, bottom - x) }
            180 -> average { x, y -> plane.at(right - x, bottom - y) }
            else -> average { x, y -> plane.at(right - y, frame.top + x) }
        }
    }

    private fun Plane.at(x: Int, y: Int): Int = buffer.get(y * rowStride + x * pixelStride).toInt() and 0xff

    private inline fun average(at: (x: Int, y: Int) -> Int) {
        val count = factor * factor
        for (row in 0 until height) for (column in 0 until width) {
            var sum = 0
            for (y in row * factor until (row + 1) * factor) {
                for (x in column * factor until (column + 1) * factor) sum += at(x, y)
            }
            pixels[row * width + column] = OPAQUE or (sum / count) * GREY
        }
    }

    private companion object {
        const val LEAST_LONGER_PX = 512
        const val LEAST_PX = 32
        const val OPAQUE = 0xff shl 24
        const val GREY = 0x010101
    }
}
