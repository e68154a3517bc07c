package org.megatron.mobile.ui

import android.content.Intent
import android.os.Bundle
import android.widget.Button
import android.widget.LinearLayout
import android.widget.ProgressBar
import org.megatron.mobile.R
import org.megatron.mobile.benchmark.BenchmarkPlan
import org.megatron.mobile.benchmark.BenchmarkRow

/**
 * Benchmark: measures the bundled model and writes `files/benchmark.json`, started by hand or by an intent:
 *
 *     am start -W -n org.megatron.mobile/.ui.BenchmarkActivity --es method encode --ei iterations 1024 --ei threads 2
 *
 * Without `method` all methods are measured.
 */
class BenchmarkActivity : Screen() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.benchmark)
        val seconds = BenchmarkPlan.LEAST_SECONDS.toInt()
        say(R.id.intro, getString(R.string.benchmark_intro, BenchmarkPlan.LEAST_CALLS, seconds))
        find<Button>(R.id.start).setOnClickListener { app.benchmark.start() }
        find<Button>(R.id.cancel).setOnClickListener { app.benchmark.cancel() }
        if (savedInstanceState == null) obey(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        obey(intent)
    }

    override fun states() = listOf(app.benchmark.state, app.model.state)

    override fun render() {
        val refusal = refusal()
        val state = app.benchmark.state.value
        val isRunning = refusal == null && state is UiState.Benchmark.Running
        say(R.id.message, refusal ?: message(state))
        show(R.id.intro, refusal == null && !isRunning)
        show(R.id.start, refusal == null && !isRunning)
        find<Button>(R.id.start).setText(
            if (state is UiState.Benchmark.Finished) R.string.benchmark_again else R.string.benchmark_start,
        )
        for (id in listOf(R.id.running_figures, R.id.running_bar, R.id.cancel)) show(id, isRunning)
        if (state is UiState.Benchmark.Running && isRunning) render(state)
        val rows = (state as? UiState.Benchmark.Finished)?.rows.orEmpty()
        show(R.id.written, rows.isNotEmpty())
        val list = find<LinearLayout>(R.id.rows)
        list.removeAllViews()
        rows.forEach { render(it, list) }
    }

    private fun message(state: UiState.Benchmark): String? = when (state) {
        is UiState.Benchmark.Idle -> if (state.wasCancelled) getString(R.string.benchmark_cancelled) else null
        is UiState.Benchmark.BadRequest -> when (val fault = state.fault) {
            is BenchmarkPlan.Fault.Method ->
                getString(R.string.benchmark_bad_method, fault.asked, fault.allowed.joinToString())
            is BenchmarkPlan.Fault.Number ->
                getString(R.string.benchmark_bad_number, fault.name, fault.least, fault.most, fault.asked)
        }
        is UiState.Benchmark.Refused -> state.why.sentence(resources)
        UiState.Benchmark.Failed -> getString(R.string.benchmark_failed)
        is UiState.Benchmark.Running, is UiState.Benchmark.Finished -> null
    }

    private fun render(state: UiState.Benchmark.Running) {
        val progress = state.progress
        val bar = find<ProgressBar>(R.id.running_bar)
        bar.isIndeterminate = progress == null
        bar.progress = ((progress?.share ?: 0.0) * bar.max).toInt()
        say(
            R.id.running_figures,
            if (progress == null) getString(R.string.checking_model)
            else getString(
                R.string.benchmark_running, progress.method, progress.calls, progress.leastCalls,
                wording.seconds(progress.seconds),
            ),
        )
    }

    private fun render(row: BenchmarkRow, list: LinearLayout) {
        val latency = row.latency
        val card = section(list, getString(R.string.benchmark_row, row.method, wording.milliseconds(latency.p50)))
        fun ms(value: Double) = wording.milliseconds(value)
        sentence(card, getString(R.string.benchmark_percentiles, ms(latency.p90), ms(latency.p99)))
        sentence(card, getString(R.string.benchmark_extremes, ms(latency.min), ms(latency.mean)))
        sentence(card, getString(R.string.benchmark_calls, row.iterations, wording.seconds(row.seconds), row.threads))
        sentence(card, getString(R.string.benchmark_load, ms(row.coldLoadMs)))
        row.memory.added?.let { sentence(card, getString(R.string.benchmark_memory, wording.number(it / 1e6, 0))) }
        if (!row.isValid) sentence(card, getString(R.string.benchmark_invalid))
        if (row.isNoisy) sentence(card, getString(R.string.benchmark_noisy))
    }

    private fun obey(intent: Intent) {
        if (EXTRAS.none(intent::hasExtra)) return
        app.benchmark.start(
            method = intent.getStringExtra(METHOD),
            iterations = intent.getIntExtra(ITERATIONS, BenchmarkPlan.LEAST_CALLS),
            threads = intent.getIntExtra(THREADS, BenchmarkPlan.THREADS),
        )
    }

    companion object {
        const val METHOD = "method"
        const val ITERATIONS = "iterations"
        const val THREADS = "threads"
        private val EXTRAS = listOf(METHOD, ITERATIONS, THREADS)
    }
}
