package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Test
import org.megatron.mobile.detector.Detector
import org.megatron.mobile.detector.FakeRuntime
import org.megatron.mobile.detector.Label
import org.megatron.mobile.detector.WINDOW
import org.megatron.mobile.detector.grey
import org.megatron.mobile.detector.manifest
import org.megatron.mobile.detector.middle

class LiveWatchTest {
    private val runtime = FakeRuntime()
    private val watch = LiveWatch(manifest(), runtime)

    /** Frames as a camera of [rate] frames a second brings them; those on [missed] show no face. */
    private fun send(seconds: Double, rate: Int, missed: Set<Int> = emptySet()): List<LiveReading> {
        var wanted = 0
        return (0 until (seconds * rate).toInt()).mapNotNull { place ->
            val timeMs = place * 1000.0 / rate
            if (!watch.wants(timeMs)) return@mapNotNull null
            watch.offer(timeMs, grey(255), if (wanted++ in missed) emptyList() else listOf(middle))
        }
    }

    @Test
    fun `a camera of 30 frames a second is looked at 10 times a second, each frame encoded once`() {
        assertEquals(30, send(seconds = 3.0, rate = 30).size)
        assertEquals("the last five wait", 25, runtime.encoded)
    }

    @Test
    fun `the probability is that of the plain detector over the same frames`() {
        val last = send(seconds = 2.5, rate = 10).last()
        val plain = Detector(FakeRuntime(), manifest())
        repeat(WINDOW) { plain.offer(100.0 * it, grey(255), middle) }
        assertEquals(plain.soFar().fakeProbability!!, last.fakeProbability!!, 1e-9)
        assertEquals(Label.FAKE, last.label)
        assertEquals(1.0, last.coverage!!, 0.0)
    }

    @Test
    fun `a face missed on a few frames only is filled in`() {
        val last = send(seconds = 2.5, rate = 10, missed = setOf(4, 5, 6, 7)).last()
        assertEquals(1.0, last.coverage!!, 0.0)
    }

    @Test
    fun `a face missed for longer leaves its slots invalid`() {
        val last = send(seconds = 2.5, rate = 10, missed = (4..8).toSet()).last()
        assertEquals(15.0 / 20, last.coverage!!, 1e-9)
    }

    @Test
    fun `before a window is full there is no probability, and the frames are counted`() {
        val readings = send(seconds = 2.4, rate = 10)
        assertEquals((0..4).map { 0 } + (1..19), readings.map { it.collected })
        assertNull(readings.last().fakeProbability)
        assertNull(readings.last().coverage)
    }
}
