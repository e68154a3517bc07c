package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Test
import org.megatron.mobile.detector.Box

class FrameFacesTest {
    private val told = ArrayList<Triple<Long, String, List<Box>>>()
    private val released = ArrayList<String>()
    private val pairs = FrameFaces<String>({ time, frame, faces -> told += Triple(time, frame, faces) }, { released += it })
    private val face = listOf(Box(1.0, 2.0, 3.0, 4.0))

    @Test
    fun `a frame waits for its faces`() {
        pairs.onFrame(10, "frame")
        assertEquals(emptyList<Any>(), told)
        pairs.onFaces(10, face)
        assertEquals(listOf(Triple(10L, "frame", face)), told)
        assertEquals("who is told lets go of it", emptyList<String>(), released)
    }

    @Test
    fun `faces that come first wait for their frame`() {
        pairs.onFaces(10, face)
        pairs.onFaces(43, emptyList())
        pairs.onFrame(10, "frame")
        assertEquals(listOf(Triple(10L, "frame", face)), told)
    }

    @Test
    fun `faces of other frames are not taken for this one's`() {
        pairs.onFaces(9, face)
        pairs.onFrame(10, "frame")
        pairs.onFaces(11, face)
        assertEquals(emptyList<Any>(), told)
    }

    @Test
    fun `a frame that is overtaken is let go of, and so is one that waits at the end`() {
        pairs.onFrame(10, "first")
        pairs.onFrame(20, "second")
        assertEquals(listOf("first"), released)
        pairs.close()
        assertEquals(listOf("first", "second"), released)
        pairs.onFaces(20, face)
        assertEquals(emptyList<Any>(), told)
    }
}
