package org.megatron.mobile.ui

import android.content.Intent
import android.widget.LinearLayout
import org.json.JSONArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.R
import org.megatron.mobile.benchmark.BenchmarkPlan
import org.megatron.mobile.detector.FakeRuntime
import org.megatron.mobile.runtime.RuntimeFailure
import java.io.File

class BenchmarkActivityTest : ScreenTest() {
    private val state: UiState.Benchmark get() = app.benchmark.state.value

    private val file: File get() = File(app.filesDir, "benchmark.json")

    /** Few iterations: a second of calls for each row, which is marked invalid. */
    private fun asked(method: String? = "encode", iterations: Int = 8, threads: Int = 2) =
        Intent().putExtra("iterations", iterations).putExtra("threads", threads).also { intent ->
            method?.let { intent.putExtra("method", it) }
        }

    @Test
    fun `the intent measures one method and writes its row`() {
        var threads = 0
        phone.load = { FakeRuntime().also { _ -> threads = it } }
        val activity = start<BenchmarkActivity>(asked(threads = 3)).get()
        assertTrue(state is UiState.Benchmark.Running)
        finishWork()
        val rows = JSONArray(file.readText())
        assertEquals(1, rows.length())
        val row = rows.getJSONObject(0)
        assertEquals("encode", row.getString("method"))
        assertEquals(PROGRAM, row.getString("artifact"))
        assertEquals("android", row.getString("device"))
        assertEquals(3, row.getInt("threads"))
        assertEquals(3, threads)
        assertTrue(row.getInt("iterations") >= 8)
        assertTrue(row.getDouble("seconds") >= 1.0)
        assertFalse("too few calls to count", row.getBoolean("valid"))
        assertTrue(activity.shown(R.id.written))
        assertEquals(1, activity.findViewById<LinearLayout>(R.id.rows).childCount)
    }

    @Test
    fun `without a method all are measured`() {
        start<BenchmarkActivity>(asked(method = null))
        finishWork()
        val rows = JSONArray(file.readText())
        assertEquals(listOf("encode", "classify"), (0 until rows.length()).map { rows.getJSONObject(it).getString("method") })
    }

    @Test
    fun `what the intent asks for must be there`() {
        file.writeText("[]")
        val activity = start<BenchmarkActivity>(asked(method = "locate")).get()
        finishWork()
        assertMessage(activity, "There is no method “locate” in this model. It has: encode, classify.")
        assertFalse("the figures of the last time are gone", file.exists())
    }

    @Test
    fun `numbers out of range are refused with the range`() {
        val activity = start<BenchmarkActivity>(asked(threads = 99)).get()
        finishWork()
        assertMessage(activity, "threads must be from 1 to 16, but 99 was asked for.")
    }

    @Test
    fun `by hand it takes the full protocol and can be cancelled`() {
        val activity = start<BenchmarkActivity>().get()
        finishWork()
        assertEquals(UiState.Benchmark.Idle(), state)
        activity.click(R.id.start)
        val plan = (state as UiState.Benchmark.Running).plan
        assertEquals(BenchmarkPlan(listOf("encode", "classify"), leastCalls = 1024, leastSeconds = 10.0, threads = 2), plan)
        activity.click(R.id.cancel)
        finishWork()
        assertMessage(activity, "The measurement was cancelled. Nothing was written.")
        assertFalse(file.exists())
    }

    @Test
    fun `turning the phone does not measure again`() {
        val controller = start<BenchmarkActivity>(asked())
        finishWork()
        val before = state
        controller.recreate()
        finishWork()
        assertTrue(before === state)
    }

    @Test
    fun `a model that cannot be started is refused`() {
        phone.load = { throw RuntimeFailure("no such library") }
        val activity = start<BenchmarkActivity>(asked()).get()
        finishWork()
        assertMessage(activity, "The model cannot be started on this phone.")
        assertFalse(file.exists())
    }
}
