package org.megatron.mobile.media

import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.PreprocessSpec
import org.megatron.mobile.detector.Preprocessor
import java.nio.FloatBuffer
import kotlin.math.ceil
import kotlin.math.roundToInt

/** A small picture to show: opaque ARGB, row by row. */
class Picture(val width: Int, val height: Int, val pixels: IntArray)

/** A face that was looked at, as the model saw it. */
class PicturedFace(val timeMs: Double, val picture: Picture)

/** The picture of a tensor, float32 [3, size, size] in 0..255. */
fun pictureOf(tensor: FloatBuffer, size: Int): Picture = part(tensor, size, 0, 0, size, size)

/** Makes a small picture of whole frames: [MOST_PX] along the longer side. One thread at a time. */
class Postcards {
    private val preprocessor = Preprocessor(
        PreprocessSpec(size = MOST_PX, margin = 1.0, padding = 0, fit = PreprocessSpec.Fit.SCALE),
    )

    fun of(frame: Frame): Picture {
        val longer = maxOf(frame.width, frame.height)
        // A face as large as the frame: the square around it holds all of the frame and bars beside it.
        val tensor = preprocessor.fill(frame, Box(0.0, 0.0, frame.width.toDouble(), frame.height.toDouble()))
        val left = bar(frame.width, longer)
        val top = bar(frame.height, longer)
        return part(tensor, MOST_PX, left, top, MOST_PX - 2 * left, MOST_PX - 2 * top)
    }

    /** Pixels beside a side of the frame, with the one in which frame and bar mix. */
    private fun bar(side: Int, longer: Int): Int {
        val bar = (MOST_PX - side.toDouble() * MOST_PX / longer) / 2
        return if (bar > 0) (ceil(bar).toInt() + 1).coerceAtMost(MOST_PX / 2 - 1) else 0
    }

    companion object {
        const val MOST_PX = 480
    }
}

private fun part(tensor: FloatBuffer, size: Int, left: Int, top: Int, width: Int, height: Int): Picture {
    val plane = size * size
    val pixels = IntArray(width * height) { place ->
        val at = (top + place / width) * size + left + place % width
        val (r, g, b) = (0 until 3).map { tensor.get(it * plane + at).roundToInt().coerceIn(0, 255) }
        (0xff shl 24) or (r shl 16) or (g shl 8) or b
    }
    return Picture(width, height, pixels)
}
