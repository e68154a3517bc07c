package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Test
import kotlin.math.cos
import kotlin.math.sin

class FaceBoxesTest {
    @Test
    fun `two level eyes and their midpoint give one box`() {
        val both = FaceBoxes.fromEyes(80.0, 60.0, 120.0, 60.0)

        assertSame(both, FaceBoxes.fromEyes(100.0, 60.0, 40.0))
        assertEquals(FaceBoxes.SIDE_PER_EYES * 40, both.w, 1e-9)
        assertEquals(both.w, both.h, 0.0)
        assertEquals(60 + FaceBoxes.DOWN_PER_EYES * 40, both.centerY, 1e-9)
    }

    @Test
    fun `a tilted head carries its box with it, whichever eye is named first`() {
        for (degrees in listOf(-50, -20, 0, 20, 50)) {
            val (c, s) = cos(Math.toRadians(degrees.toDouble())) to sin(Math.toRadians(degrees.toDouble()))
            val box = FaceBoxes.fromEyes(100 - 20 * c, 60 - 20 * s, 100 + 20 * c, 60 + 20 * s)

            assertSame(box, FaceBoxes.fromEyes(100 + 20 * c, 60 + 20 * s, 100 - 20 * c, 60 - 20 * s))
            assertEquals(FaceBoxes.SIDE_PER_EYES * 40, box.w, 1e-9)
            // Down the face is where a quarter turn takes the line from eye to eye.
            assertEquals(100 - FaceBoxes.DOWN_PER_EYES * 40 * s, box.centerX, 1e-9)
            assertEquals(60 + FaceBoxes.DOWN_PER_EYES * 40 * c, box.centerY, 1e-9)
        }
    }

    @Test
    fun `a rectangle becomes the square about its centre`() {
        assertSame(Box(5.0, 10.0, 40.0, 40.0), FaceBoxes.fromRectangle(10.0, 10.0, 40.0, 50.0))
    }

    @Test
    fun `the whole crop region is the whole stream of the same shape, in every orientation`() {
        val corners = mapOf(0 to (0.0 to 0.0), 90 to (480.0 to 0.0), 180 to (640.0 to 480.0), 270 to (0.0 to 640.0))
        for ((rotation, corner) in corners) {
            val mapping = ActiveArrayMapping(400, 300, 3200, 2400, 640, 480, rotation)
            val (x, y) = mapping.point(400.0, 300.0)

            assertEquals("x at $rotation", corner.first, x, 1e-9)
            assertEquals("y at $rotation", corner.second, y, 1e-9)
            val box = mapping.box(400 + 1600 - 200, 300 + 1200 - 200, 400 + 1600 + 200, 300 + 1200 + 200)
            assertEquals(80.0, box.w, 1e-9)
            assertEquals(if (rotation % 180 == 0) 320.0 else 240.0, box.centerX, 1e-9)
            assertEquals(if (rotation % 180 == 0) 240.0 else 320.0, box.centerY, 1e-9)
        }
    }

    @Test
    fun `a wider stream shows the middle of the region`() {
        val mapping = ActiveArrayMapping(0, 0, 4000, 3000, 1920, 1080, 0)

        // 16:9 out of 4:3: all of the width, and 375 lines left out above.
        assertEquals(0.0, mapping.point(0.0, 375.0).second, 1e-9)
        assertEquals(1080.0, mapping.point(0.0, 2625.0).second, 1e-9)
        assertEquals(1920.0, mapping.point(4000.0, 0.0).first, 1e-9)
    }

    private fun assertSame(expected: Box, found: Box) {
        for ((one, two) in listOf(expected.x to found.x, expected.y to found.y, expected.w to found.w, expected.h to found.h)) {
            assertEquals("$expected and $found", one, two, 1e-9)
        }
    }
}
