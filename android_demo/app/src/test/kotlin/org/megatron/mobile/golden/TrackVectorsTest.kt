package org.megatron.mobile.golden

import org.junit.Assert.assertEquals
import org.junit.Test
import org.megatron.mobile.detector.Box
import org.megatron.mobile.detector.FaceTracks
import org.megatron.mobile.detector.JsonObject
import org.megatron.mobile.detector.LargestFace
import org.megatron.mobile.detector.Sighted
import java.io.File

/** Gaps, smoothing and the choice of a face, on the vectors that Python wrote. */
class TrackVectorsTest {
    private val frames = JsonObject.read(File(project, "tests/golden/tracks.json").readText()).children("frames")

    @Test
    fun `a missed face becomes what it becomes in Python`() {
        val found = tracked()

        assertEquals(frames.size, found.size)
        for ((frame, sighted) in frames.zip(found)) {
            val expected = frame.child("faces").objects().mapKeys { it.key.toInt() }.mapValues { box(it.value) }
            assertEquals(frame.number("time_ms"), sighted.timeMs, 0.0)
            assertEquals("at ${sighted.timeMs}", expected.keys, sighted.faces.keys)
            for ((track, box) in expected) {
                val other = sighted.faces.getValue(track)
                for ((one, two) in listOf(box.x to other.x, box.y to other.y, box.w to other.w, box.h to other.h)) {
                    assertEquals("track $track at ${sighted.timeMs}", one, two, 1e-6)
                }
            }
        }
    }

    @Test
    fun `the face that is judged is Python's`() {
        val found = tracked()
        val largest = LargestFace()
        found.forEach { largest.see(it.faces) }
        val chosen = largest.chosen()

        for ((frame, sighted) in frames.zip(found)) {
            assertEquals(frame.numberOrNull("judged")?.toInt(), sighted.faces.keys.firstOrNull { it in chosen })
        }
    }

    private fun tracked(): List<Sighted<Unit>> {
        val found = ArrayList<Sighted<Unit>>()
        val tracks = FaceTracks<Unit> { found += it }
        for (frame in frames) tracks.offer(frame.number("time_ms"), Unit, frame.children("detections").map(::box))
        tracks.finish()
        return found
    }

    private fun box(box: JsonObject) = Box(box.number("x"), box.number("y"), box.number("w"), box.number("h"))
}
