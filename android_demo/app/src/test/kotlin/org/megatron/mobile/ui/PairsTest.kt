package org.megatron.mobile.ui

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class PairsTest {
    @Test
    fun `every pair of values of two factors stands in some combination`() {
        val factors = listOf(2, 2, 2, 3)
        val rows = pairwise(factors)
        for (first in factors.indices) for (second in first + 1 until factors.size) {
            val seen = rows.map { it[first] to it[second] }.toSet()
            assertEquals("factors $first and $second", factors[first] * factors[second], seen.size)
        }
        assertTrue("${rows.size} combinations instead of all 24", rows.size <= 8)
    }
}
