package org.megatron.mobile.golden

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.junit.runners.Parameterized
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.JsonObject
import org.megatron.mobile.detector.Plane
import org.megatron.mobile.detector.PreprocessSpec
import org.megatron.mobile.detector.Preprocessor
import org.megatron.mobile.detector.RgbFrame
import org.megatron.mobile.detector.YuvColour
import org.megatron.mobile.detector.YuvFrame
import java.io.File
import java.nio.ByteBuffer
import kotlin.math.abs

/** YUV 4:2:0 by standard and range, on the vectors that Python's tests hold against their decoder. */
@RunWith(Parameterized::class)
class YuvVectorsTest(private val name: String) {
    private val folder = File(project, "tests/golden/yuv")
    private val index = JsonObject.read(File(folder, "yuv.json").readText())
    private val width = index.whole("width").toInt()
    private val height = index.whole("height").toInt()
    private val colour = YuvColour.valueOf(name.uppercase())
    private val picture = RgbFrame(width, height, bytes("pictures", name))

    /** Sides of 96 and no margin: every pixel of the picture stands in the tensor as it is. */
    private val spec = PreprocessSpec(size = 96, margin = 1.0, padding = 7, fit = PreprocessSpec.Fit.SCALE)
    private val box = Box(-5.0, -9.0, 96.0, 96.0)

    @Test
    fun `planar and interleaved chroma with padded rows become Python's picture`() {
        for (frame in listOf(planar(rowPadding = 0), planar(rowPadding = 5), interleaved())) {
            val expected = tensor(picture, box)
            val found = tensor(frame, box)
            assertTrue(expected.indices.maxOf { abs(expected[it] - found[it]) } <= 1f)
        }
    }

    @Test
    fun `a face is cut from a turned picture as from the upright one`() {
        for (rotation in listOf(0, 90, 180, 270)) {
            val frame = planar(rowPadding = 3, rotation = rotation)
            val upright = turned(picture, rotation)
            assertEquals(upright.width, frame.width)
            assertEquals(upright.height, frame.height)
            // Padded on one side, reduced by 2 with a line left over, and scaled up: whatever the orientation.
            for (face in listOf(box, Box(-20.5, 4.0, 61.0, 40.0), Box(11.0, 17.0, 193.0, 12.0), Box(30.0, 20.0, 9.0, 11.0))) {
                val small = spec.copy(size = 32)
                val expected = tensor(upright, face, small)
                val found = tensor(frame, face, small)
                assertTrue(
                    "turned by $rotation at $face",
                    expected.indices.maxOf { abs(expected[it] - found[it]) } <= 1f,
                )
            }
        }
    }

    @Test
    fun `a crop rectangle at odd places keeps chroma where it belongs`() {
        val left = 7
        val top = 3
        val frame = planar(rowPadding = 0, left = left, top = top)

        val expected = tensor(picture, box.shifted(left.toDouble(), top.toDouble()))
        val found = tensor(frame, box)

        // Outside the crop there is padding, where the whole picture still shows something.
        var compared = 0
        for (y in 9 until 9 + height - top) for (x in 5 until 5 + width - left) for (channel in 0 until 3) {
            val place = (channel * spec.size + y) * spec.size + x
            assertTrue(abs(expected[place] - found[place]) <= 1f)
            compared++
        }
        assertEquals(3 * (height - top) * (width - left), compared)
    }

    private fun tensor(frame: org.megatron.mobile.detector.Frame, box: Box, spec: PreprocessSpec = this.spec): FloatArray {
        val values = Preprocessor(spec).fill(frame, box)
        return FloatArray(values.capacity()).also(values::get)
    }

    private fun planar(rowPadding: Int, rotation: Int = 0, left: Int = 0, top: Int = 0): YuvFrame {
        val half = (width + 1) / 2
        fun plane(name: String, columns: Int): Plane {
            val source = bytes("planes", name)
            val rows = source.size / columns
            // The last row has no padding behind it, as on a phone.
            val out = ByteBuffer.allocateDirect((columns + rowPadding) * (rows - 1) + columns)
            for (row in 0 until rows) for (column in 0 until columns) {
                out.put(row * (columns + rowPadding) + column, source[row * columns + column])
            }
            return Plane(out, columns + rowPadding, 1)
        }
        return YuvFrame(
            plane("y", width), plane("u", half), plane("v", half), width - left, height - top, colour, rotation, left, top,
        )
    }

    private fun interleaved(): YuvFrame {
        val half = (width + 1) / 2
        val u = bytes("planes", "u")
        val v = bytes("planes", "v")
        // As NV21 phones do it: one memory, v first, and each plane ends with its own last sample.
        val both = ByteArray(2 * u.size)
        for (sample in u.indices) {
            both[2 * sample] = v[sample]
            both[2 * sample + 1] = u[sample]
        }
        val vPlane = ByteBuffer.wrap(both, 0, both.size - 1).slice()
        val uPlane = ByteBuffer.wrap(both, 1, both.size - 1).slice()
        return YuvFrame(
            Plane(ByteBuffer.wrap(bytes("planes", "y")), width, 1), Plane(uPlane, 2 * half, 2), Plane(vPlane, 2 * half, 2),
            width, height, colour,
        )
    }

    private fun bytes(group: String, name: String): ByteArray = File(folder, index.child(group).text(name)).readBytes()

    companion object {
        @JvmStatic
        @Parameterized.Parameters(name = "{0}")
        fun names(): List<String> = YuvColour.entries.map { it.name.lowercase() }
    }
}

/** [picture] turned clockwise by [rotation] degrees. */
fun turned(picture: RgbFrame, rotation: Int): RgbFrame {
    if (rotation == 0) return picture
    val once = ByteArray(picture.bytes.size)
    for (y in 0 until picture.height) for (x in 0 until picture.width) for (channel in 0 until 3) {
        val to = x * picture.height + picture.height - 1 - y
        once[3 * to + channel] = picture.bytes[3 * (y * picture.width + x) + channel]
    }
    return turned(RgbFrame(picture.height, picture.width, once), rotation - 90)
}
