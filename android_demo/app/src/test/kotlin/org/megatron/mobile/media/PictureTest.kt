package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Test
import org.megatron.mobile.detector.RgbFrame
import kotlin.math.abs

class PictureTest {
    /** Red grows to the right, green downwards, blue is 200 everywhere. */
    private fun ramp(width: Int, height: Int): RgbFrame {
        val bytes = ByteArray(3 * width * height)
        for (place in 0 until width * height) {
            bytes[3 * place] = (255 * (place % width) / (width - 1)).toByte()
            bytes[3 * place + 1] = (255 * (place / width) / (height - 1)).toByte()
            bytes[3 * place + 2] = 200.toByte()
        }
        return RgbFrame(width, height, bytes)
    }

    @Test
    fun `a postcard shows the whole frame in its own shape and colours`() {
        for ((width, height) in listOf(1920 to 1080, 1080 to 1920, 300 to 400, 641 to 480)) {
            val card = Postcards().of(ramp(width, height))
            assertEquals(Postcards.MOST_PX, maxOf(card.width, card.height))
            // A pixel at each edge is left out, in which the frame and what lies beside it mix.
            assertEquals(1.0, card.width.toDouble() / card.height / (width.toDouble() / height), 0.02)
            for ((x, y) in listOf(0.1 to 0.1, 0.5 to 0.5, 0.9 to 0.2, 0.2 to 0.9)) {
                val pixel = card.pixels[(y * card.height).toInt() * card.width + (x * card.width).toInt()]
                val expected = listOf((255 * x).toInt(), (255 * y).toInt(), 200)
                val got = listOf(16, 8, 0).map { (pixel shr it) and 0xff }
                for ((one, other) in expected.zip(got)) assertEquals("$width × $height at $x, $y: $got", one.toDouble(), other.toDouble(), 3.0)
                assertEquals("opaque", 0xff, pixel ushr 24)
            }
            assertEquals("no bar at the edges", true, listOf(0, card.pixels.size - 1).all { abs((card.pixels[it] and 0xff) - 200) <= 3 })
        }
    }
}
