package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.detector.Plane
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.detector.YuvColour
import org.megatron.mobile.detector.YuvFrame
import org.megatron.mobile.detector.grey
import java.nio.ByteBuffer

class GreyPictureTest {
    private val grey = GreyPicture()

    /** Luma that tells its place: 2 · x + y, in planes with a padded row and a crop that begins at (2, 4). */
    private fun slanted(rotation: Int): YuvFrame {
        val (width, height, stride) = Triple(52, 48, 70)
        val luma = ByteBuffer.allocate(stride * (height + 4))
        for (y in 0 until height + 4) for (x in 0 until width + 2) luma.put(y * stride + x, (2 * x + y).toByte())
        val chroma = Plane(ByteBuffer.allocate(stride * height), stride, 2)
        return YuvFrame(Plane(luma, stride, 1), chroma, chroma, width, height, YuvColour.BT601_FULL, rotation, left = 2, top = 4)
    }

    private fun level(x: Int, y: Int) = grey.pixels[y * grey.width + x] and 0xff

    @Test
    fun `luma is turned upright as the frame says`() {
        // Upright (5, 7) of a 52 × 48 sensor, with the crop's corner at luma 2 · 2 + 4 = 8.
        val expected = mapOf(
            0 to 8 + 2 * 5 + 7,
            90 to 8 + 2 * 7 + (47 - 5),
            180 to 8 + 2 * (51 - 5) + (47 - 7),
            270 to 8 + 2 * (51 - 7) + 5,
        )
        for ((rotation, luma) in expected) {
            assertTrue(grey.fill(slanted(rotation)))
            assertEquals("turned by $rotation", luma, level(5, 7))
            val upright = if (rotation % 180 == 0) 52 to 48 else 48 to 52
            assertEquals(upright, grey.width to grey.height)
        }
    }

    @Test
    fun `a large frame is averaged down and keeps at least 512 px`() {
        val (width, height) = 1920 to 1080
        val bytes = ByteArray(3 * width * height)
        for (y in 0 until height) for (x in 0 until width) {
            // Stripes of one pixel: white and black in turn.
            if (x % 2 == 0) bytes.fill(-1, 3 * (y * width + x), 3 * (y * width + x) + 3)
        }
        assertTrue(grey.fill(RgbFrame(width, height, bytes)))
        assertEquals(Triple(3, 640, 360), Triple(grey.factor, grey.width, grey.height))
        assertEquals("two stripes of three are white", 170, level(0, 0))
        assertEquals("one stripe of three is white", 85, level(1, 0))
    }

    @Test
    fun `the width is even, which the framework demands`() {
        assertTrue(grey.fill(grey(100, width = 75, height = 61)))
        assertEquals(74, grey.width)
        assertEquals(100, level(73, 60))
    }

    @Test
    fun `a frame too small for a face is not looked at`() {
        assertFalse(grey.fill(grey(100, width = 20, height = 300)))
    }
}
