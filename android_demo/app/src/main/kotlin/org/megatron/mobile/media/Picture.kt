package org.megatron.mobile.media

import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.Frame
import org.megatron.mobile.detector.PreprocessSpec
import org.megatron.mobile.detector.Preprocessor
import java.nio.FloatBuffer
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
        val width = scaled(frame.width, longer)
        val height = scaled(frame.height, longer)
        return part(tensor, MOST_PX, (MOST_PX - width) / 2, (MOST_PX - height) / 2, width, height)
    }

    private fun scaled(side: Int, longer: Int): Int = (side.toDouble() * MOST_PX / longer).toInt().coerceAtLeast(1)

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
