package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Test
import org.megatron.mobile.measure.allocatedBytes
import java.nio.ByteBuffer

/** Nothing is allocated for a frame: a collector's pause in the middle of a live picture would be seen. */
class AllocationTest {
    private val boxes = List(16) { Box(300.0 + 7 * it, 200.0 - 3 * it, 260.0 + 11 * it, 300.0 - 2 * it) }

    @Test
    fun `neither cutting a face nor judging it allocates, from RGB and from YUV however it is turned`() {
        for (frame in listOf(RgbFrame(1280, 720, ByteArray(3 * 1280 * 720))) + listOf(0, 90, 180, 270).map(::yuv)) {
            // Now and then the virtual machine puts some bytes of its own on whoever runs; what a frame costs comes each time.
            val bytes = (0 until 5).minOf { bytesOfFrames(frame) }

            assertEquals("$frame", 0L, bytes)
        }
    }

    /** Of 19 frames after 20, of which some show no face: no window closes among them. */
    private fun bytesOfFrames(frame: Frame): Long {
        val detector = Detector(FakeRuntime(), manifest(Decision(10.0, WINDOW, 1.0, 1.0, 0.5)))
        var now = 0
        fun offer() = detector.offer(100.0 * now, frame, if (now++ % 5 == 0) null else boxes[now % boxes.size])
        // The first meet the largest face, and fill the ring.
        repeat(WINDOW) { offer() }
        return allocatedBytes { repeat(WINDOW - 1) { offer() } }
    }

    private fun yuv(rotation: Int): YuvFrame {
        fun plane(size: Int, stride: Int, step: Int) = Plane(ByteBuffer.allocateDirect(size), stride, step)
        return YuvFrame(
            plane(1280 * 720, 1280, 1), plane(1280 * 360 - 1, 1280, 2), plane(1280 * 360 - 1, 1280, 2),
            1280, 720, YuvColour.BT709_LIMITED, rotation,
        )
    }
}
