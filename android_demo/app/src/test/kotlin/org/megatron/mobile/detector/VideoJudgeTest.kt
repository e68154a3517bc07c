package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import java.nio.ByteBuffer

class VideoJudgeTest {
    private val runtime = FakeRuntime()
    private val near = Box(17.0, 9.0, 30.0, 30.0)
    private val far = Box(52.0, 36.0, 10.0, 10.0)

    @Test
    fun `one face is judged as the detector judges its boxes`() {
        val judge = VideoJudge(runtime, manifest())
        val detector = Detector(FakeRuntime(), manifest())
        for (index in 0 until 45) {
            judge.offer(index * 100.0, grey(5 * index), listOf(near))
            detector.offer(index * 100.0, grey(5 * index), near)
        }
        val verdict = judge.finish()

        assertEquals(detector.finish(), verdict.verdict)
        assertEquals(45, verdict.looks.count { it.box != null })
        assertEquals(45, runtime.encoded)
    }

    @Test
    fun `a frame may change as soon as it was offered`() {
        val judge = VideoJudge(runtime, manifest())
        val pixels = ByteArray(3 * 64 * 48)
        for (index in 0 until 30) {
            pixels.fill(if (index % 2 == 0) 100 else 0)
            judge.offer(index * 100.0, RgbFrame(64, 48, pixels), if (index % 2 == 0) listOf(near) else emptyList())
            pixels.fill(-1)
        }
        // The frames between are filled: every other face is black.
        assertEquals(8 * 50.0 / 255 - 4, judge.finish().verdict.windows.first().logits!!.fake, 1e-3)
    }

    @Test
    fun `planes of a decoder that uses them again are kept whole`() {
        val judge = VideoJudge(runtime, manifest())
        val planes = List(3) { ByteBuffer.allocateDirect(64 * 48) }
        for (index in 0 until 20) {
            planes.forEach { plane -> for (place in 0 until plane.capacity()) plane.put(place, 128.toByte()) }
            val (y, u, v) = planes
            val frame = YuvFrame(Plane(y, 64, 1), Plane(u, 32, 1), Plane(v, 32, 1), 64, 48, YuvColour.BT601_FULL)
            judge.offer(index * 100.0, frame, listOf(near))
            planes.forEach { plane -> for (place in 0 until plane.capacity()) plane.put(place, 0) }
        }
        assertEquals(8 * 128.0 / 255 - 4, judge.finish().verdict.windows.single().logits!!.fake, 1e-3)
    }

    @Test
    fun `the largest face of the whole video is judged, not the one it began with`() {
        val judge = VideoJudge(runtime, manifest())
        for (index in 0 until 20) judge.offer(index * 100.0, grey(50), listOf(far))
        for (index in 20 until 60) judge.offer(index * 100.0, grey(50), listOf(far, near))
        val verdict = judge.finish()

        assertEquals(40, verdict.looks.count { it.box != null })
        assertNull(verdict.looks[10].box)
        assertEquals(40.0 / 60, verdict.verdict.coverage, 1e-9)
    }

    @Test
    fun `a long gap stays a gap, and every sampled frame keeps its slot`() {
        val judge = VideoJudge(runtime, manifest())
        for (index in 0 until 40) judge.offer(index * 100.0, grey(50), if (index in 10..19) emptyList() else listOf(near))
        val verdict = judge.finish()

        assertEquals(40, verdict.verdict.frames)
        assertEquals((10..19).toList(), verdict.looks.indices.filter { verdict.looks[it].box == null })
    }

    @Test
    fun `a video without a face is undecided, and one without frames as well`() {
        val judge = VideoJudge(runtime, manifest())
        for (index in 0 until 30) judge.offer(index * 100.0, grey(50), emptyList())

        assertEquals(Label.UNDECIDED, judge.finish().verdict.label)
        assertEquals(Label.UNDECIDED, VideoJudge(runtime, manifest()).finish().verdict.label)
    }
}
