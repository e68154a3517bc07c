package org.megatron.mobile.benchmark

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

class InterleavingTest {
    private var now = 0L
    private val order = ArrayList<String>()

    /** A method that takes [ms]; the clock is this test's own. */
    private fun timing(name: String, ms: Long) = Timing(name) {
        order += name
        now += ms * 1_000_000
    }

    private fun plan(calls: Int, seconds: Double) = BenchmarkPlan(listOf("slow", "fast"), calls, seconds, threads = 2)

    @Test
    fun `methods take turns of a quarter of a second until each has its calls and its seconds`() {
        val slow = timing("slow", 10)
        val fast = timing("fast", 1)
        assertTrue(interleave(listOf(slow, fast), plan(calls = 100, seconds = 0.5), { now }) { true })
        assertEquals("two turns of 25 calls of 10 ms would be enough seconds, but not calls", 100, slow.callsMs.size)
        assertEquals(4 * 250, fast.callsMs.size)
        assertEquals(8, slow.warmUp)
        assertEquals(1.0, slow.seconds, 1e-9)
        assertTrue(slow.callsMs.all { it == 10.0 })
        val turns = order.fold(ArrayList<String>()) { seen, name -> if (seen.lastOrNull() != name) seen += name; seen }
        assertEquals(listOf("slow", "fast", "slow", "fast", "slow", "fast", "slow", "fast"), turns)
    }

    @Test
    fun `the first call is kept apart`() {
        var calls = 0
        val timing = Timing("first") { now += if (calls++ == 0) 90_000_000L else 2_000_000L }
        interleave(listOf(timing), plan(calls = 10, seconds = 0.1), { now }) { true }
        assertEquals(90.0, timing.firstMs!!, 1e-9)
        assertEquals(2.0, timing.callsMs.max(), 1e-9)
    }

    @Test
    fun `it stops after the turn in which it is told to`() {
        val slow = timing("slow", 10)
        assertFalse(interleave(listOf(slow, timing("fast", 1)), plan(1000, 10.0), { now }) { false })
        assertEquals(25, slow.callsMs.size)
        assertEquals("the next method had no turn", setOf("slow"), order.toSet())
    }

    @Test
    fun `progress is that of the method which is furthest behind`() {
        val seen = ArrayList<BenchmarkProgress>()
        interleave(listOf(timing("slow", 10), timing("fast", 1)), plan(calls = 100, seconds = 0.5), { now }) { seen.add(it) }
        assertEquals("fast", seen.first().method)
        assertEquals("slow" to 25, seen[1].method to seen[1].calls)
        assertEquals("25 of 100 calls, though half of the seconds", 0.25, seen[1].share, 1e-9)
        assertEquals(1.0, seen.last().share, 1e-9)
    }
}
