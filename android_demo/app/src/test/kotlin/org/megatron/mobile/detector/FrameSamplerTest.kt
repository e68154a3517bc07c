package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

/** The cases of Python's sampler. */
class FrameSamplerTest {
    @Test
    fun `thirty frames a second become ten`() = assertEquals(
        (0 until 90 step 3).toList(), picked(10.0, List(90) { it * 1000 / 30.0 }),
    )

    @Test
    fun `times rounded to a millisecond change nothing`() = assertEquals(
        (0 until 90 step 3).toList(), picked(10.0, List(90) { Math.round(it * 1000 / 30.0).toDouble() }),
    )

    @Test
    fun `a slower video keeps every frame`() = assertEquals((0 until 20).toList(), picked(10.0, List(20) { it * 250.0 }))

    @Test
    fun `no burst follows a gap`() = assertEquals(
        listOf(0, 1, 3, 5), picked(10.0, listOf(0.0, 1000.0, 1033.0, 1100.0, 1133.0, 1200.0)),
    )

    @Test
    fun `a frame out of order is passed over`() = assertEquals(
        listOf(0, 1, 4), picked(10.0, listOf(0.0, 300.0, 100.0, 290.0, 400.0)),
    )

    @Test
    fun `a rate that is none is refused`() {
        for (rate in listOf(0.0, -1.0, Double.NaN, Double.POSITIVE_INFINITY)) {
            assertThrows(IllegalArgumentException::class.java) { FrameSampler(rate) }
        }
    }

    private fun picked(rate: Double, times: List<Double>): List<Int> =
        FrameSampler(rate).let { sampler -> times.indices.filter { sampler.wants(times[it]) } }
}
