package org.megatron.mobile.benchmark

import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

class BenchmarkRowTest {
    private fun row(calls: List<Double>, seconds: Double = 12.0, memory: ResidentMemory = ResidentMemory(100, 160, 190)) =
        BenchmarkRow(
            artifact = "student.pte", method = "encode", sha256 = "ab", phone = Phone("Maker One", "Android 14 (API 34)"),
            runtime = "executorch", runtimeVersion = "1.3.1", delegate = "xnnpack", precision = "int8", threads = 2,
            warmUp = 80, seconds = seconds, callsMs = calls, coldLoadMs = 33.0, firstCallMs = 9.0, memory = memory,
        )

    @Test
    fun `percentiles interpolate as numpy's do`() {
        // numpy.percentile([7, 1, 3, 10], (50, 90, 99)) is (5, 9.1, 9.91).
        val latency = Latency.of(listOf(7.0, 1.0, 3.0, 10.0))
        assertEquals(5.0, latency.p50, 1e-12)
        assertEquals(9.1, latency.p90, 1e-12)
        assertEquals(9.91, latency.p99, 1e-12)
        assertEquals(1.0, latency.min, 0.0)
        assertEquals(5.25, latency.mean, 1e-12)
        assertEquals(21, latency.quantiles.size)
        assertEquals(listOf(1.0, 5.0, 10.0), listOf(0, 10, 20).map(latency.quantiles::get))
    }

    @Test
    fun `sustained compares the first tenth with the last`() {
        val sustained = Sustained.of((1..20).map { if (it <= 10) 2.0 else 3.0 })!!
        assertEquals(1.5, sustained.ratio, 1e-12)
        assertNull(Sustained.of(List(9) { 1.0 }))
    }

    @Test
    fun `a row counts with 1024 calls and ten seconds, and is noisy when slow calls are half as slow again`() {
        assertTrue(row(List(1024) { 10.0 }, seconds = 10.0).isValid)
        assertFalse("too few calls", row(List(1023) { 10.0 }, seconds = 10.2).isValid)
        assertFalse("too short", row(List(2000) { 4.0 }, seconds = 8.0).isValid)
        assertFalse(row(List(100) { 10.0 }).isNoisy)
        assertTrue(row(List(100) { if (it < 80) 10.0 else 16.0 }).isNoisy)
    }

    @Test
    fun `the document has the fields of a row, and a reason for what is null`() {
        val json = JSONObject(row(List(1024) { 10.0 }).json().toString())
        assertEquals("android", json.getString("device"))
        assertEquals("Maker One", json.getString("device_model"))
        assertEquals(10.0, json.getJSONObject("latency_ms").getDouble("p50"), 0.0)
        assertTrue(json.isNull("ratio_to_anchor"))
        assertEquals("the app holds no anchor", json.getJSONObject("missing").getString("ratio_to_anchor"))
        assertEquals(90, json.getLong("peak_rss_bytes"))
        val silent = row(List(1024) { 10.0 }, memory = ResidentMemory(null, null, null)).json()
        assertTrue(silent.isNull("peak_rss_bytes"))
        assertEquals("the system does not tell", silent.getJSONObject("memory").getJSONObject("missing").getString("peak"))
    }

    @Test
    fun `a plan refuses what it cannot do and takes fewer calls for a quick look`() {
        val allowed = listOf("encode", "classify")
        val plan = BenchmarkPlan.of(null, 64, 1, allowed) as BenchmarkPlan.Made.Plan
        assertEquals(BenchmarkPlan(allowed, 64, 1.0, 1), plan.plan)
        val number = BenchmarkPlan.of(null, 0, 2, allowed) as BenchmarkPlan.Made.No
        assertEquals(BenchmarkPlan.Fault.Number("iterations", 1, 1_000_000, 0), number.fault)
        val method = BenchmarkPlan.of("Encode", 10, 2, allowed) as BenchmarkPlan.Made.No
        assertEquals(BenchmarkPlan.Fault.Method("Encode", allowed), method.fault)
    }
}
